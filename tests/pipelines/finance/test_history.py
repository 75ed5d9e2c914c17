"""Histories are found among numbered columns by name and by values, and gathered from the table as a series."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.blocks import TrunkOptions
from core.encoders.columns import TableOptions, number_column
from core.errors import InputError
from core.model import AssayModel
from data.spec import Column, FeatureSpec, infer_spec
from data.tables import read_table
from pipelines.finance.history import (
    History,
    HistoryReader,
    find_families,
    find_history,
    is_history,
    series_operations,
)
from pipelines.finance.network import make_network
from pipelines.finance.network_options import NetworkOptions

Floats = np.ndarray


def spec_of(*names: str, kind: str = "number") -> FeatureSpec:
    return FeatureSpec(columns=tuple(Column(name=name, kind=kind) for name in names), target="bad")  # type: ignore[arg-type]


def walk(rows: int, steps: int, seed: int) -> Floats:
    """Every step is most of the one before."""
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=rows)]
    for _ in range(steps - 1):
        x.append(0.7 * x[-1] + 0.7 * rng.normal(size=rows))
    return np.exp(np.stack(x, axis=1))


def one_factor(rows: int, steps: int, seed: int) -> Floats:
    """All columns are alike, neighbours no more than others, as sizes of one company are."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 1)) * rng.uniform(0.8, 1.2, steps) + rng.normal(size=(rows, steps))


@pytest.mark.parametrize(
    ("names", "families"),
    [
        (["a", "BILL_AMT2", "BILL_AMT10", "BILL_AMT1", "BILL_AMT3"], [(3, 1, 4, 2)]),
        (["PAY_0", "PAY_2", "PAY_3", "PAY_4"], [(0, 1, 2, 3)]),
        (["m 01", "m 02", "m 03", "m 04"], [(0, 1, 2, 3)]),
        (["q-4", "q-3", "q-2", "q-1"], [(3, 2, 1, 0)]),
        (["x1_1", "x1_2", "x1_3", "x1_4"], [(0, 1, 2, 3)]),
        (["年1", "年2", "年3", "年4"], [(0, 1, 2, 3)]),
        (["X1", "X2", "X3"], []),
        (["X1", "X2", "x3", "x4"], []),
        (["X1", "X_2", "X3", "X_4"], []),
        (["M1", "M01", "M2", "M3", "M4"], []),
        (["1", "2", "3", "4"], []),
        (["_1", "_2", "_3", "_4"], []),
        ([f"d{day}" for day in range(121)], []),
    ],
)
def test_families_are_told_by_their_names(names: list[str], families: list[tuple[int, ...]]) -> None:
    assert list(find_families(spec_of(*names))) == families


def test_categories_are_no_family() -> None:
    assert find_families(spec_of("a1", "a2", "a3", "a4", kind="category")) == ()


@given(
    numbers=st.lists(st.integers(0, 999), min_size=4, max_size=12, unique=True), separator=st.sampled_from(["", *"_- "])
)
def test_a_family_is_sorted_by_number_wherever_its_columns_stand(numbers: list[int], separator: str) -> None:
    names = ["age", *[f"LATE{separator}{number}" for number in numbers], "income"]
    (family,) = find_families(spec_of(*names))
    assert [names[at] for at in family] == [f"LATE{separator}{number}" for number in sorted(numbers)]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(4, 15))
def test_values_tell_a_history_from_columns_that_only_share_a_name(seed: int, steps: int) -> None:
    x = walk(600, steps, seed)
    assert is_history(x)
    assert is_history(x[:, ::-1])
    assert not is_history(np.random.default_rng(seed).normal(size=(600, steps)))


@pytest.mark.parametrize("seed", range(5))
def test_columns_that_are_all_alike_are_no_history(seed: int) -> None:
    assert not is_history(one_factor(600, 64, seed))


@pytest.mark.parametrize("x", [np.ones((50, 5)), np.full((50, 5), np.nan), np.empty((0, 5))])
def test_columns_that_say_nothing_are_no_history(x: Floats) -> None:
    assert not is_history(x)


def test_missing_values_and_codes_are_left_out_of_the_question() -> None:
    x = walk(800, 6, 0)
    rng = np.random.default_rng(1)
    x[rng.random(x.shape) < 0.3] = -9.0
    x[rng.random(x.shape) < 0.2] = np.nan
    columns = tuple(Column(name=f"a{step}", kind="number", special_codes=(-9.0,)) for step in range(6))
    found = find_history(FeatureSpec(columns=columns), x)
    assert found == History((tuple(range(6)),))


def test_families_of_equal_length_are_channels_and_most_columns_win() -> None:
    names = [f"{stem}{step}" for stem, steps in (("a", 5), ("b", 9), ("c", 5), ("d", 5)) for step in range(steps)]
    spec = spec_of(*names)
    x = np.concatenate([walk(500, 5, 0), walk(500, 9, 1), walk(500, 5, 2), one_factor(500, 5, 3)], axis=1)
    found = find_history(spec, x)
    assert found is not None
    assert found.names(spec) == [[f"{stem}{step}" for step in range(5)] for stem in "ac"]
    assert (found.channels, found.steps, found.tokens) == (2, 5, 4)
    assert find_history(spec, np.random.default_rng(0).normal(size=x.shape)) is None


@pytest.mark.parametrize("columns", [(), ((),), ((1, 2), (3,))])
def test_channels_must_have_one_length(columns: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InputError, match="channels of one length"):
        History(columns)


def table_of(x: Floats, codes: tuple[float, ...] = (), drop: float = 0.0) -> TableOptions:
    columns = tuple(number_column(x[:, at], special_codes=codes) for at in range(x.shape[1]))
    return TableOptions(columns=columns, width=4, drop=drop)


def test_the_series_is_gathered_and_what_is_not_known_is_nan() -> None:
    x = np.concatenate([walk(400, 4, 0), walk(400, 4, 1) * 1e4], axis=1)
    reader = HistoryReader(History(((3, 2, 1, 0), (4, 5, 6, 7))), table_of(x, (-1.0,))).eval()
    asked = torch.from_numpy(x[:5]).float()
    asked[0, 3], asked[1, 5] = -1.0, math.nan
    given_BF = torch.ones_like(asked, dtype=torch.bool)
    given_BF[2, 0] = False
    series = reader(asked, given_BF)
    assert series.shape == (5, 4, 2)
    assert series.isnan().nonzero().tolist() == [[0, 0, 0], [1, 1, 1], [2, 3, 0]]
    for channel, steps in enumerate(reader.history.columns):
        for step, at in enumerate(steps):
            order = np.argsort(x[:, at])
            z = reader(torch.from_numpy(x).float())[:, step, channel].numpy()
            assert (np.diff(z[order]) >= 0).all()
            assert abs(z.mean()) < 0.2
            assert z.std() == pytest.approx(1, abs=0.2)
    assert not reader.state_dict()


def test_steps_of_a_channel_are_on_one_scale() -> None:
    x = walk(500, 5, 0) * 1.5 ** np.arange(5)
    reader = HistoryReader(History((tuple(range(5)),)), table_of(x)).eval()
    same = reader(torch.full((1, 5), 2.0))
    assert float(same.max() - same.min()) == 0
    assert bool((reader(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))[0, :, 0].diff() > 0).all())


def test_what_training_hides_of_the_table_it_hides_of_the_series() -> None:
    x = walk(300, 4, 0)
    reader = HistoryReader(History((tuple(range(4)),)), table_of(x, drop=0.3))
    inputs, masks = reader.train().inputs(torch.from_numpy(x).float())
    assert torch.equal(inputs["series"][..., 0].isnan(), ~masks["table"])
    assert 0.2 < float((~masks["table"]).float().mean()) < 0.4
    assert reader.eval().inputs(torch.from_numpy(x).float())[1] == {}


def test_the_encoder_of_the_series_is_counted() -> None:
    history = History((tuple(range(6)), tuple(range(6, 12))))
    model = make_network(
        table_of(np.concatenate([walk(100, 6, 0), walk(100, 6, 1)], axis=1)),
        NetworkOptions(width=32, members=2, depth=1, hidden=8, history_width=16),
        history,
    )
    assert isinstance(model, AssayModel)
    assert model.options.trunk == TrunkOptions(**{**vars(model.options.trunk), "heads": 4})
    block = 4 * (8 * 16 * 16 + 4 * 4 * 16 + 6 * 16 * 32)  # attention and feed-forward of four tokens
    assert series_operations(model, history) == 2 * (3 * 8 * 16 + 6 * 16) + block


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "target", "stems"),
    [
        ("taiwan_default", "default_next_month", ["PAY_", "BILL_AMT", "PAY_AMT"]),
        ("polish_5year", "bankrupt", None),
        ("ulb_sample", "Class", None),
        ("heloc", "bad", None),
        ("german_credit", "bad", None),
    ],
)
def test_histories_of_real_tables(realdata: Path, name: str, target: str, stems: list[str] | None) -> None:
    path = realdata / f"data/finance/{name}/{name}.csv.gz"
    frame = read_table(path, where={"split": "train"}).frame
    spec = infer_spec(frame, target=target, ignore=["split"])
    x_BF = np.stack([np.asarray(frame[column.name].to_numpy(), dtype=object) for column in spec.columns], axis=1)
    numbers = [column.kind == "number" for column in spec.columns]
    x_BF = np.where(numbers, x_BF, math.nan).astype(np.float64)
    found = find_history(spec, x_BF)
    if stems is None:
        assert found is None
        return
    assert found is not None
    assert [steps[0].rstrip("01") for steps in found.names(spec)] == stems
    assert found.steps == 6
