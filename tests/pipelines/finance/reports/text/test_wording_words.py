"""Word lists: forms of words, longest match, and what the files hold."""

import csv

import pytest

from pipelines.finance.reports.text.wording_words import FOLDER, Lexicon, lexicon, stem


def test_the_lists_hold_words_of_both_languages_without_repeats() -> None:
    files = sorted(FOLDER.glob("*.csv"))
    assert len(files) >= 6
    for path in files:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [(row["word"], row["category"], row["language"]) for row in csv.DictReader(lines)]
        assert len(rows) == len(set(rows)), path.name
        assert {language for _, _, language in rows} <= {"en", "zh"}
        assert all(word == word.strip() and word for word, _, _ in rows)


@pytest.mark.parametrize(
    ("base", "forms"),
    [
        ("increase", "increases increased increasing"),
        ("drop", "drops dropped dropping"),
        ("company", "companies"),
        ("breach", "breaches breached"),
        ("loss", "losses"),
    ],
)
def test_the_regular_forms_of_a_word_are_one(base: str, forms: str) -> None:
    assert {stem(form) for form in forms.split()} == {stem(base)}


def test_the_longest_words_are_taken_and_none_inside_another() -> None:
    lists = Lexicon("zh", [("违约", "event"), ("违约风险", "policy"), ("风险", "uncertainty")])
    hits = lists.hits(lists.tokens("存在违约风险和违约"))
    assert [(hit.at, hit.end, set(hit.categories)) for hit in hits] == [(2, 6, {"policy"}), (7, 9, {"event"})]


def test_the_month_of_may_is_not_the_verb() -> None:
    words = lexicon("en")
    for sentence, modal in (("On May 5 and in May sales were flat", False), ("Sales may be flat", True)):
        assert any("weak_modal" in hit.categories for hit in words.hits(words.tokens(sentence))) == modal


def test_hyphens_do_not_hide_words_but_signs_stay_with_numbers() -> None:
    assert lexicon("en").tokens("A write-down of EUR -1.5 mn") == ["a", "write", "down", "of", "eur", "-1.5", "mn"]
