"""Training a fraud model: what it keeps, what it leaves out, and that tables and streams are judged alike."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import GateError, InputError
from core.runtime.bundle import Bundle, open_bundle
from core.runtime.engine import Engine
from pipelines.finance.fraud import ledger_of, score_fraud, train_fraud
from pipelines.finance.fraud_evaluate import evaluate_fraud
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.transactions.stream import Stream
from tests.pipelines.finance.fraud_samples import fraud_frame
from tests.pipelines.finance.transactions.streams import event_of

MOST = 700


def asked(**changes: object) -> FraudOptions:
    own = {"target": "fraud", "time": "time", "amount": "amount", "entity": "card", "counterparts": ("shop",)}
    return FraudOptions(**(own | {"id_column": "id", "most_learned": MOST} | changes))  # type: ignore[arg-type]


def silent(share: float, words: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    table = fraud_frame(4_000, 4, days=110, cards=200).sort_values("time", kind="stable", ignore_index=True)
    table["fraud"] *= np.random.default_rng(1).random(len(table)) < 0.5
    return table


@pytest.fixture(scope="module")
def parts(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    place = np.arange(len(frame))
    return {"fit": place < 2_600, "valid": (place >= 2_600) & (place < 3_400), "test": place >= 3_400}


@pytest.fixture(scope="module")
def bundle(frame: pd.DataFrame, parts: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("fraud") / "bundle"
    return train_fraud(frame, parts["fit"], parts["valid"], asked(), folder, silent)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine.open(open_bundle(bundle.folder), device="cpu")


def test_the_bundle_says_what_was_learned_from(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], bundle: Bundle
) -> None:
    about = bundle.manifest.about
    time = pd.to_datetime(frame["time"])
    warm = (parts["fit"] & (time >= time.min() + pd.Timedelta(days=30)).to_numpy()).sum()
    assert about["rows"]["training"]["used"] == MOST < warm
    assert about["learned_rows"]["warm_up"] == parts["fit"].sum() - warm
    assert about["rows"]["validation"]["used"] == parts["valid"].sum()
    assert about["history"] == {"rows": len(frame), "refused": {}}
    assert bundle.manifest.kind == "fraud"
    columns = {column["name"] for column in bundle.manifest.spec["columns"]}
    assert not columns & {"card", "shop", "time", "amount", "id", "fraud"}
    assert {"channel", "distance_km", "card.zscore.30d"} <= columns


def test_the_same_rows_and_seed_give_the_same_bytes(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], bundle: Bundle, tmp_path: Path
) -> None:
    again = train_fraud(frame, parts["fit"], parts["valid"], asked(), tmp_path / "b", silent)
    for path in sorted(bundle.folder.iterdir()):
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


def test_probabilities_are_right_for_the_share_of_frauds_in_life(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], engine: Engine
) -> None:
    """Good rows are thinned out for the trees; the calibration on all validation rows makes up for it."""
    found = evaluate_fraud(ledger_of(frame, engine), parts["valid"], engine)
    ids = frame["id"].tolist()
    scored = pd.concat(s.frame for s in score_fraud(ledger_of(frame, engine), parts["valid"], engine, ids=ids))
    assert scored["probability"].mean() == pytest.approx(frame["fraud"][parts["valid"]].mean(), rel=0.1)
    assert found.metrics["ece"].value < 0.02


def test_it_tells_frauds_of_rows_that_it_never_saw(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], engine: Engine
) -> None:
    found = evaluate_fraud(ledger_of(frame, engine), parts["test"], engine)
    share = frame["fraud"][parts["test"]].mean()
    assert found.metrics["average_precision"].value > 4 * share
    assert found.metrics["auc"].value > 0.75
    assert found.metrics["auc_new_cards"].missing is None


def test_pieces_of_a_table_and_a_stream_give_the_same_verdicts(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], engine: Engine
) -> None:
    ids = frame["id"].tolist()
    some = np.isin(np.arange(len(frame)), [3_401, 3_500, 3_777, 3_990, 3_999])
    ledger = ledger_of(frame, engine)
    whole = pd.concat(s.frame for s in score_fraud(ledger, some, engine, ids=ids, reasons_for="all"))
    pieces = list(score_fraud(ledger, some, engine, ids=ids, reasons_for="all", at_once=2))
    assert [len(piece.frame) for piece in pieces] == [2, 2, 1]
    joined = pd.concat(piece.frame for piece in pieces)
    pd.testing.assert_frame_equal(joined.reset_index(drop=True), whole.reset_index(drop=True))
    judging, stream = FraudJudge(engine), Stream(ledger.plan)
    verdicts = []
    for number, raw in enumerate(frame.drop(columns="fraud").to_dict("records")):
        if some[number]:
            arrival = judging.read(raw)
            verdicts.append(judging.judge(arrival, stream.measure(arrival.event)))
        stream.add(event_of(ledger.events, number, int(ledger.events.label[number])))
    assert [one.case_id for one in verdicts] == whole["id"].tolist()
    np.testing.assert_allclose([one.probability for one in verdicts], whole["probability"], rtol=1e-12)
    assert [str(one.reasons[0]) for one in verdicts] == whole["reason_1"].tolist()


def test_labels_younger_than_the_delay_change_no_verdict(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], engine: Engine
) -> None:
    last = np.arange(len(frame)) == len(frame) - 1
    time = pd.to_datetime(frame["time"])
    young = time > time.iloc[-1] - pd.Timedelta(days=7)
    turned = frame.assign(fraud=np.where(young, 1 - frame["fraud"], frame["fraud"]))
    one, other = (
        next(score_fraud(ledger_of(table, engine), last, engine, ids=frame["id"].tolist())).frame
        for table in (frame, turned)
    )
    pd.testing.assert_frame_equal(one, other)
    assert young.sum() > 50


def test_a_floor_of_the_queue_keeps_a_model_out(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], tmp_path: Path
) -> None:
    options = asked(floors={"card_precision_at_100": 0.99})
    with pytest.raises(GateError, match="card_precision_at_100"):
        train_fraud(frame, parts["fit"], parts["valid"], options, tmp_path / "b", silent)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("turned", "words"),
    [
        ({"target": "is_fraud"}, "no target column 'is_fraud'"),
        ({"entity": "account"}, "no column 'account'"),
        ({"ignore": ("colour",)}, "no column 'colour'"),
    ],
)
def test_an_absent_column_is_named(
    frame: pd.DataFrame, parts: dict[str, np.ndarray], tmp_path: Path, turned: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        train_fraud(frame, parts["fit"], parts["valid"], asked(**turned), tmp_path / "b", silent)


def test_rows_of_one_class_cannot_teach(frame: pd.DataFrame, parts: dict[str, np.ndarray], tmp_path: Path) -> None:
    good = parts["fit"] & (frame["fraud"] == 0).to_numpy()
    with pytest.raises(InputError, match="training rows; frauds and good rows are both needed"):
        train_fraud(frame, good, parts["valid"], asked(), tmp_path / "b", silent)
