"""Company models: trained, scored and evaluated on made-up statements; hard rules and base rates beside them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from pipelines.finance.company import Wish, score_company, score_reports, train_company
from pipelines.finance.company_evaluate import evaluate_company
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.company_reports import ReportCase
from tests.pipelines.finance.company_samples import KEYS, make_companies, make_report

OPTIONS = CompanyOptions(target="failed", id_column="firm", period="year", currency="USD")
TRAIN, VALID, TEST = make_companies(0), make_companies(1, companies=200), make_companies(2, companies=250, rate=0.1)


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


def train(folder: Path, options: CompanyOptions, population: pd.DataFrame | None = None) -> Bundle:
    return train_company(TRAIN, VALID, options, folder, silent, population)


@dataclass(frozen=True)
class Trained:
    plain: Engine
    strict: Engine


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("company")
    policy = folder / "policy.csv"
    heading = "name,kind,version,valid_from,priority,condition,action,floor,if_missing,en,zh"
    rules = [
        "debt,covenant,1,2020-01-01,1,liabilities_to_assets > 0.8,decline,,ignore,Debt {liabilities_to_assets:.2f},债",
        "loss,policy,1,2020-01-01,2,net_income < 0,floor,0.5,ignore,Loss of {net_income:.0f},亏损",
    ]
    policy.write_text("\n".join([heading, *rules]) + "\n", encoding="utf-8")
    plain = train(folder / "plain", OPTIONS)
    strict = train(folder / "strict", replace(OPTIONS, policy=policy))
    return Trained(plain=Engine.open(plain, threads=1), strict=Engine.open(strict, threads=1))


def scores(engine: Engine, table: pd.DataFrame = TEST, reasons: int = 3) -> pd.DataFrame:
    ids = table["firm"].astype(str).tolist()
    return score_company(table, engine, ids=ids, reasons=reasons, reasons_for="all").frame


def test_one_row_a_company_comes_out_with_its_latest_year(trained: Trained) -> None:
    frame = scores(trained.plain)
    assert len(frame) == TEST["firm"].nunique() == frame["id"].nunique()
    assert set(frame["period"]) == {"2018"}
    assert frame["error"].isna().all()
    order = TEST[TEST["year"] == 2018]["firm"].tolist()
    assert frame["id"].tolist() == order
    assert list(frame.columns[-2:]) == ["period", "error"]


def test_reasons_name_features_of_the_rules_in_words(trained: Trained) -> None:
    frame = scores(trained.plain)
    assert frame["reason_1"].str.fullmatch(r"[A-Z0-9_]+: .+ \([+-]\d+\.\d\d\)").mean() > 0.9
    words = " ".join(frame["reason_1"].dropna())
    assert any(rule.en in words for rule in plan_rules(trained.plain))


def plan_rules(engine: Engine):  # type: ignore[no-untyped-def]
    from pipelines.finance.company_plan import CompanyPlan

    return CompanyPlan.from_json(engine.bundle.manifest.about["company"]).rules.book.rules.values()


def test_the_model_knows_who_fails(trained: Trained) -> None:
    found = evaluate_company(TEST, trained.plain)
    assert found.evaluation.metrics["auc"].value > 0.8
    assert found.evaluation.rows["judged"] == TEST["firm"].nunique()


def test_a_label_in_the_scored_table_changes_nothing(trained: Trained) -> None:
    pd.testing.assert_frame_equal(scores(trained.plain, TEST.drop(columns="failed")), scores(trained.plain))


def test_evaluation_says_where_the_base_rate_differs_and_guesses_it_without_labels(trained: Trained) -> None:
    rate = evaluate_company(TEST, trained.plain).base_rate
    assert rate["differs"]
    assert rate["seen"] == pytest.approx(TEST.groupby("firm")["failed"].first().mean())
    assert rate["estimated"]["low"] < rate["seen"] < rate["estimated"]["high"]
    assert not evaluate_company(VALID, trained.plain).base_rate["differs"]


def test_a_given_base_rate_moves_every_row_by_one_constant_and_keeps_the_threshold(
    trained: Trained, tmp_path: Path
) -> None:
    bundle = train(tmp_path / "given", replace(OPTIONS, base_rate=0.1))
    shift = bundle.manifest.about["base_rate"]["shift"]
    before, after = (scores(engine)["probability"].to_numpy() for engine in (trained.plain, Engine.open(bundle)))
    assert np.allclose(np.log(after / (1 - after)) - np.log(before / (1 - before)), shift)
    assert shift < 0
    threshold = trained.plain.bundle.manifest.decision["threshold"]
    assert bundle.manifest.decision["threshold"] == pytest.approx(threshold)
    assert abs(after.mean() - 0.1) < abs(before.mean() - 0.1)


def test_rows_without_labels_tell_the_base_rate(tmp_path: Path) -> None:
    bundle = train(tmp_path / "guessed", OPTIONS, TEST.drop(columns="failed"))
    base = bundle.manifest.about["base_rate"]
    assert "without their labels" in base["source"]
    assert abs(base["assumed"] - 0.1) < 0.05


def test_hard_rules_only_add_caution_and_stand_first_with_their_figures(trained: Trained) -> None:
    plain, strict = scores(trained.plain), scores(trained.strict)
    order = {"approve": 0, "review": 1, "decline": 2}
    assert (strict["decision"].map(order) >= plain["decision"].map(order)).all()
    last = TEST[TEST["year"] == 2018].reset_index(drop=True)
    deep = (last["total_liabilities"] / last["total_assets"] > 0.8).to_numpy()
    assert deep.any()
    assert (strict["decision"][deep] == "decline").all()
    assert strict["reason_1"][deep].str.match(r"COVENANT_DEBT: Debt \d\.\d\d$").all()
    loss = (last["net_income"] < 0).to_numpy()
    assert (strict["probability"][loss] >= 0.5).all()
    calm = ~deep & ~loss
    pd.testing.assert_frame_equal(strict[calm], plain[calm])


def test_a_target_rate_beside_a_base_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another base rate"):
        train(tmp_path / "both", replace(OPTIONS, base_rate=0.1, target_rate=0.2))


def test_the_same_rows_give_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    again = train(tmp_path / "again", OPTIONS)
    assert again.manifest_sha256 == trained.plain.bundle.manifest_sha256


def test_without_validation_rows_whole_companies_validate(tmp_path: Path) -> None:
    table = TRAIN.assign(failed=np.arange(len(TRAIN)) % 2)
    bundle = train_company(table, None, CompanyOptions(**KEYS), tmp_path / "held", silent)  # type: ignore[arg-type]
    rows = bundle.manifest.about["rows"]
    assert rows["training"]["used"] + rows["validation"]["used"] == len(table)
    assert rows["validation"]["used"] % 4 == 0


def test_a_report_is_scored_as_its_row_would_be(trained: Trained) -> None:
    wish = Wish(reasons_for="all")
    firm = TEST[TEST["firm"] == "F0000"]
    from_table = scores(trained.plain, firm.reset_index(drop=True), reasons=4)
    case = ReportCase(id="F0000", report=make_report(firm))
    from_report = score_reports([case], trained.plain, wish).frame
    assert from_report["probability"][0] == pytest.approx(from_table["probability"][0])
    assert from_report["decision"][0] == from_table["decision"][0]
    assert from_report["period"][0] == "2018-12-31"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"currency": "CNY"}, "OTHER_CURRENCY"),
        ({"unbalanced": True}, "CHECK_FAILED"),
        ({"only": ("net_income",)}, "TOO_LITTLE"),
    ],
)
def test_a_report_that_cannot_be_trusted_is_an_error_and_never_scored(
    trained: Trained, change: dict[str, object], code: str
) -> None:
    firm = TEST[TEST["firm"] == "F0000"]
    case = ReportCase(id="x", report=make_report(firm, **change))  # type: ignore[arg-type]
    frame = score_reports([case], trained.plain, Wish()).frame
    assert frame["error"][0].startswith(code)
    assert pd.isna(frame["decision"][0])
    assert pd.isna(frame["probability"][0])


def test_what_a_report_lacks_goes_to_a_person_or_is_an_error(trained: Trained) -> None:
    firm = TEST[TEST["firm"] == "F0000"]
    items = [name for name in firm.columns if name not in ("firm", "year", "failed")]
    doubted = 0
    for item in items:
        report = make_report(firm, only=tuple(name for name in items if name != item))
        row = score_reports([ReportCase(id="x", report=report)], trained.plain, Wish(reasons=9)).frame.iloc[0]
        said = " ".join(str(row[f"reason_{k}"]) for k in range(1, 10))
        if pd.isna(row["error"]) and "MISSING_FIGURES" in said:
            doubted += 1
            assert row["decision"] in ("review", "decline")
            assert f"{item.upper()}:" not in said
        else:
            assert pd.isna(row["error"]) or row["error"].startswith("TOO_LITTLE")
    assert doubted


def test_an_unreadable_report_keeps_its_place(trained: Trained) -> None:
    cases = [
        ReportCase(id="broken", report=None, error="BAD_INPUT: no report"),
        ReportCase(id="good", report=make_report(TEST[TEST["firm"] == "F0001"])),
    ]
    frame = score_reports(cases, trained.plain, Wish()).frame
    assert frame["id"].tolist() == ["broken", "good"]
    assert frame["error"][0] == "BAD_INPUT: no report"
    assert pd.isna(frame["error"][1])
