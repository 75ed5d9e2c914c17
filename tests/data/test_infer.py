import json

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from data.spec import Column, FeatureSpec, infer_spec


def table(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "row": np.arange(rows),
            "customer": [f"C{row:06d}" for row in range(rows)],
            "account": [f"{row:019d}" for row in range(rows)],
            "opened": ["2024-01-31"] * (rows // 2) + ["2024-02-01"] * (rows - rows // 2),
            "age": rng.integers(18, 80, rows),
            "income": np.where(rng.random(rows) < 0.25, np.nan, rng.lognormal(8, 1, rows)),
            "city": pd.Series(rng.choice(["Bonn", "Köln", "北京"], rows), dtype="str"),
            "share": pd.Series([f"{value}%" for value in rng.integers(0, 100, rows)], dtype="str"),
            "amount": pd.Series([f"{value:,}" for value in rng.integers(500, 90_000, rows)], dtype="str"),
            "owner": pd.Series(rng.choice(["是", "否"], rows), dtype="str"),
            "same": 7,
            "nothing": np.nan,
            "bad": rng.integers(0, 2, rows),
        }
    )


def test_features_are_told_from_ids_dates_and_constants() -> None:
    spec = infer_spec(table(), target="bad")
    assert spec.names == ("age", "income", "city", "share", "amount", "owner")
    assert spec.ignored == ("row", "customer", "account", "opened", "same", "nothing")
    reasons = " ".join(spec.notes)
    for words in (
        "numbers the rows",
        "at most 100",
        "written in digits",
        "dates",
        "constant (7)",
        "every value is missing",
    ):
        assert words in reasons
    assert spec.numbers == ("age", "income", "share", "amount", "owner")
    assert spec.text == ("city",)


def test_what_is_usual_in_a_column_is_written_down() -> None:
    frame = table()
    columns = {column.name: column for column in infer_spec(frame, target="bad", id_column="customer").columns}
    income = columns["income"]
    assert income.missing_rate == pytest.approx(frame["income"].isna().mean())
    assert income.soft_low == frame["income"].min()
    assert income.soft_high == frame["income"].max()
    assert len(income.shares) == len(income.bins) + 1 == 10
    assert sum(income.shares) == pytest.approx(1)
    assert columns["age"].low == 0
    assert columns["age"].high == 150
    assert columns["city"].categories == ("Bonn", "Köln", "北京")
    assert columns["share"].percent
    assert 0 <= (columns["share"].soft_high or 0) < 1
    assert columns["owner"].boolean
    assert columns["amount"].soft_low >= 500  # type: ignore[operator]


def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = table().drop(columns="row")
    shuffled = frame.sample(frac=1, random_state=3).reset_index(drop=True)
    one, other = infer_spec(frame, target="bad"), infer_spec(shuffled, target="bad")
    for a, b in zip(one.columns, other.columns, strict=True):
        assert (a.name, a.categories, a.special_codes, a.bins) == (b.name, b.categories, b.special_codes, b.bins)
        assert a.shares == pytest.approx(b.shares)


def test_a_spec_survives_json() -> None:
    spec = infer_spec(table(), target="bad", id_column="customer", time="opened")
    text = json.dumps(spec.to_json(), allow_nan=False)
    assert FeatureSpec.from_json(json.loads(text)) == spec


def test_a_spec_of_a_newer_version_is_refused() -> None:
    document = infer_spec(table(), target="bad").to_json()
    document["columns"][0]["fuzziness"] = 1
    with pytest.raises(InputError, match="newer version"):
        FeatureSpec.from_json(document)


def test_absent_and_duplicate_columns_and_tables_without_features_are_refused() -> None:
    with pytest.raises(InputError, match="no column 'worse'"):
        infer_spec(table(), target="worse")
    twice = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "bad"])
    with pytest.raises(InputError, match="more than once"):
        infer_spec(twice, target="bad")
    with pytest.raises(InputError, match="no column that can be a feature"):
        infer_spec(pd.DataFrame({"a": [1, 1], "bad": [0, 1]}), target="bad")


def test_a_column_refuses_contradictions() -> None:
    with pytest.raises(InputError, match="must not be above"):
        Column(name="a", kind="number", low=2, high=1)
    with pytest.raises(InputError, match="monotone"):
        Column(name="a", kind="number", monotone=2)


def test_a_category_that_is_text_na_is_a_category() -> None:
    frame = pd.DataFrame({"country": pd.Series(["NA", "DE", "FR", None] * 30, dtype="str"), "bad": [0, 1] * 60})
    column = infer_spec(frame, target="bad").columns[0]
    assert column.categories == ("DE", "FR", "NA")
    assert column.missing_rate == 0.25


def test_numbers_beyond_what_the_gate_lets_pass_teach_nothing() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 1e300] * 5, "huge": [1e300, -1e300] * 10, "y": [0, 1] * 10})
    spec = infer_spec(frame, target="y")
    assert [column.name for column in spec.columns] == ["x"]
    assert (spec.columns[0].soft_high, spec.columns[0].mean) == (3.0, 2.0)
    assert "every value is missing or beyond 1e+15" in spec.notes[0]
