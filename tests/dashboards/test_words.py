"""Both languages say everything, and pages ask for nothing else."""

import re
import string
from pathlib import Path

import pytest

import dashboards
from dashboards.words import OWN, WORDS, Words, utc

FOLDER = Path(dashboards.__path__[0])


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_each_phrase_is_there_in_both_languages_with_the_same_places_to_fill() -> None:
    assert all(english.strip() and chinese.strip() for english, chinese in WORDS.values())
    assert [key for key, (english, chinese) in WORDS.items() if _fields(english) != _fields(chinese)] == []


def test_chinese_phrases_are_chinese() -> None:
    alike = {key for key, (_, chinese) in WORDS.items() if not re.search(r"[\u4e00-\u9fff]|AP（", chinese)}
    assert {key for key in alike if not key.endswith("_help")} <= {"auc", "ks", "f1", "aupro", "cron", "ap50", "ap33"}


def test_pages_ask_only_for_phrases_that_exist() -> None:
    asked = set()
    for path in FOLDER.rglob("*.py"):
        asked |= set(re.findall(r"""words\(\s*["'](\w+)["']""", path.read_text("utf-8")))
    assert len(asked) > 100
    assert asked <= set(WORDS)


def test_no_phrase_is_left_over() -> None:
    code = "\n".join(path.read_text("utf-8") for path in FOLDER.rglob("*.py") if path.name != "words.py")
    from_data = {
        "kind_credit",
        "kind_company",
        "cases_all",
        "cases_latest",
        "kind_fraud",
        "kind_inspection",
        "kind_volatility",
        "score_kind",
        "alerts_kind",
        "inspect_kind",
        "assess_kind",
        "latest",
        "skip",
        "candidate",
    }
    built = {
        f"{prefix}_{name}" for prefix in ("order", "sort") for name in ("input", "risk", "safe", "new", "near", "high")
    }
    built |= {"archived", "queued", "cancelled", "job_failed", "dead", "running", "champion", "n", "positives"}
    built |= {key for key in WORDS if key.endswith("_help")}
    named_by_models = set(_section("operations", "n", "data_sha256")) | set(
        _section("inspection", "image_auroc", "ap33")
    )
    named_by_models |= set(_section("risk", "auc", "recall_at_1pct_fpr"))
    unused = {key for key in WORDS if f'"{key}"' not in code and f"'{key}'" not in code}
    assert unused - (from_data | built | named_by_models) == set()


@pytest.mark.parametrize("kind", OWN)
def test_the_words_of_a_kind_stand_for_words_that_exist_and_fill_the_same_places(kind: str) -> None:
    for key, phrases in OWN[kind].items():
        assert [_fields(phrase) for phrase in phrases] == [_fields(phrase) for phrase in WORDS[key]]
    assert Words("zh", kind)("probability_default") == Words("zh").about(kind)("probability_default")
    assert Words("en").about(kind)("portfolio") == Words("en")("portfolio")


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="en, zh"):
        Words("fr")


def test_a_missing_time_is_a_dash() -> None:
    assert utc(None) == "–"


def _section(folder: str, first: str, last: str) -> list[str]:
    """Names of metrics and facts, which come from bundles and evaluations and so stand in no page."""
    keys = re.findall(r'^    "(\w+)": ', (FOLDER / folder / "words.py").read_text("utf-8"), re.MULTILINE)
    return keys[keys.index(first) : keys.index(last) + 1]
