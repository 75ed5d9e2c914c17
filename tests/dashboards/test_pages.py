"""Each page, opened as a person would open it: full, empty, in both languages, by a deep link, and when things fail."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.words import Words
from tests.dashboards.seed import HOSTILE_ID, Seeded

Visit = Callable[..., AppTest]
PAGES = {
    None: "portfolio",
    "risk/case.py": "case",
    "inspection/gallery.py": "gallery",
    "inspection/picture.py": "picture",
    "operations/jobs.py": "jobs",
    "operations/models.py": "models",
}


def _text(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.error, app.subheader, app.title, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_a_full_page_opens_in_its_language(visit: Visit, seeded: Seeded, page: str | None, language: str) -> None:
    app = visit(page, lang=language)
    assert app.title[0].value == Words(language)(PAGES[page])
    assert not app.error


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_an_empty_page_tells_what_to_run(visit: Visit, nothing: Path, page: str | None, language: str) -> None:
    app = visit(page, lang=language)
    assert "assay demo" in app.code[0].value
    assert not app.error


def test_the_language_switch_is_on_the_first_page_and_goes_into_the_address(visit: Visit, seeded: Seeded) -> None:
    app = visit()
    assert app.title[0].value == "Portfolio"
    app.button_group(key="language_switch").set_value("zh").run()
    assert app.title[0].value == "资产组合"
    assert app.query_params["lang"] == "zh"


def test_the_language_stays_when_the_page_changes(visit: Visit, seeded: Seeded) -> None:
    app = visit(lang="zh")
    app.query_params.clear()
    app.switch_page("operations/jobs.py").run()
    assert app.title[0].value == "任务"


@pytest.mark.parametrize("page", PAGES)
def test_a_database_that_cannot_be_read_is_one_line(visit: Visit, nothing: Path, page: str | None) -> None:
    nothing.mkdir(parents=True)
    (nothing / "assay.db").write_bytes(b"this is no database, " * 400)
    app = visit(page)
    assert len(app.error) == 1
    assert "database" in app.error[0].value
    assert "Traceback" not in _text(app)


def test_a_fault_of_the_page_is_one_line_with_a_reference(
    visit: Visit, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("dashboards.reads.models", broken)
    app = visit()
    assert len(app.error) == 1
    assert "secret detail" not in _text(app)
    assert "log" in app.error[0].value


def test_words_from_data_are_shown_as_they_are(visit: Visit, seeded: Seeded) -> None:
    app = visit("risk/case.py", case=HOSTILE_ID)
    assert "[x](http" not in _text(app)
    assert r"\[x\]\(http" in _text(app)
