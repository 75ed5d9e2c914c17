"""The dashboards: which pages there are, and the frame around them.

Run through `assay dashboard`, which starts `streamlit run dashboards/app.py`.
"""

from pathlib import Path

import streamlit as st

from dashboards import edge, frame
from dashboards.words import Words


def main() -> None:
    # a Material symbol as page icon would be fetched from a server outside; this picture is our own
    icon = Path(__file__).with_name("icon.svg")
    st.set_page_config(page_title="Assay", page_icon=str(icon), layout="wide", initial_sidebar_state=230)
    st.logo(str(icon.with_name("assay.svg")), size="large")
    words = Words(frame.language())
    page = st.navigation(_pages(words))
    st.session_state["page"] = page.url_path or "portfolio"
    frame.head(page.title, words)
    with edge.one_line(st.session_state["page"], words):
        page.run()


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
