"""The dashboards: pages, language and the one place where an error becomes a line for a person.

Run through `assay dashboard`, which starts `streamlit run dashboards/app.py`.
"""

import logging
import uuid
from pathlib import Path

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from core.errors import AssayError
from dashboards import frame
from dashboards.words import Words

log = logging.getLogger("assay.dashboards")


def main() -> None:
    st.set_page_config(page_title="Assay", page_icon=":material/balance:", layout="wide", initial_sidebar_state=230)
    st.logo(str(Path(__file__).with_name("assay.svg")), size="large")
    words = Words(frame.language())
    page = st.navigation(_pages(words))
    frame.head(page.title, words)
    try:
        page.run()
    except AssayError as error:
        frame.failed(str(error))
    except SQLAlchemyError:
        log.exception("the database failed on page %s", page.url_path)
        frame.failed(words("database_failed"))
    except Exception:  # the edge of this process: a person sees one line, the log has the rest
        reference = uuid.uuid4().hex[:8]
        log.exception("page %s failed, reference %s", page.url_path, reference)
        frame.failed(words("unexpected", reference=reference))


def _pages(words: Words) -> dict[str, list[st.Page]]:
    return {
        words("risk"): [
            st.Page("risk/portfolio.py", title=words("portfolio"), icon=":material/bar_chart:", default=True),
            st.Page("risk/case.py", title=words("case"), icon=":material/person_search:"),
        ],
        words("inspection"): [
            st.Page("inspection/gallery.py", title=words("gallery"), icon=":material/grid_view:"),
            st.Page("inspection/picture.py", title=words("picture"), icon=":material/image_search:"),
        ],
        words("operations"): [
            st.Page("operations/jobs.py", title=words("jobs"), icon=":material/checklist:"),
            st.Page("operations/models.py", title=words("models"), icon=":material/deployed_code:"),
        ],
    }


if __name__ == "__main__":
    main()
