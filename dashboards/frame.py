"""What all pages share: the head with the language switch, empty and error states, badges, cards of a metric."""

from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import plain
from dashboards.marks import MARKS
from dashboards.reads import ModelLine
from dashboards.words import LANGUAGES, Words

HELPED: Final = ("auc", "gini", "ks", "average_precision", "brier", "ece")
# Streamlit has no setting for the side margins of a wide page; this text is constant and holds no data
_STYLE: Final = (
    "<style>@media (min-width: 900px) {.stMainBlockContainer {padding-left: 2.5rem; padding-right: 2.5rem}}</style>"
)


def language() -> str:
    """The language of this session: from the address, else as chosen before, else as the browser asks."""
    asked = st.query_params.get("lang")
    if asked in LANGUAGES:
        st.session_state["language"] = asked
    if "language" not in st.session_state:
        browser = st.context.locale or ""
        st.session_state["language"] = "zh" if browser.lower().startswith("zh") else "en"
    return str(st.session_state["language"])


def words() -> Words:
    """The words of this session's language."""
    return Words(language())


def head(title: str, words: Words) -> None:
    """Title on the left, language switch on the right; the choice goes into the address."""
    st.html(_STYLE)
    row = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    row.title(title, anchor=False, width="content")
    key = "language_switch"
    st.session_state[key] = words.language
    row.segmented_control(
        "Language / 语言",
        list(LANGUAGES),
        format_func=lambda code: LANGUAGES[code],
        key=key,
        required=True,
        label_visibility="collapsed",
        on_change=_choose_language,
    )
    if st.query_params.get("lang") != words.language:
        st.query_params["lang"] = words.language


def link(page: str, label: str, icon: str | None = None, place: DeltaGenerator | None = None, **params: str) -> None:
    """A link to another page that keeps the language."""
    (place or st).page_link(page, label=label, icon=icon, query_params={"lang": language(), **params})


def empty(line: str, *commands: str, words: Words) -> None:
    """An empty state: what is missing and what to run."""
    with st.container(border=True):
        st.markdown(f":material/inbox: {line}")
        if commands:
            st.caption(words("try"))
            st.code("\n".join(commands), language="bash")


def failed(line: str) -> None:
    """An error in one clear line."""
    st.error(plain.markdown(line), icon=":material/error:")


def badge(state: str, words: Words, place: DeltaGenerator | None = None, more: str = "") -> None:
    """A decision, verdict or state as a coloured badge with icon and word, and perhaps a figure behind it."""
    mark = MARKS.get(state, MARKS["unknown"])
    (place or st).badge(f"{words.known(state)} {more}".rstrip(), icon=mark.icon, color=mark.badge)


def metric(place: DeltaGenerator, name: str, value: Any, words: Words) -> None:
    """A card of one metric with its bootstrap interval. `value` is {value, low, high} or {value: null, missing}."""
    told = value if isinstance(value, dict) else {"value": value}
    low, high = told.get("low"), told.get("high")
    below = None if low is None or high is None else f"{plain.number(low)} – {plain.number(high)}"
    if told.get("value") is None:
        below = str(told.get("missing") or words("none_yet"))
    card(
        place,
        words.known(name),
        plain.number(told.get("value")),
        below,
        words(f"{name}_help") if name in HELPED else None,
    )


def cards(place: DeltaGenerator | None = None) -> DeltaGenerator:
    """A row for cards that breaks into several where the screen is narrow."""
    return (place or st).container(horizontal=True, gap="small")


def card(place: DeltaGenerator, label: str, value: str, below: str | None = None, about: str | None = None) -> None:
    """One figure in a frame, with a grey line below it."""
    place.metric(
        label, value, delta=below, delta_color="off", delta_arrow="off", help=about, border=True, height="stretch"
    )


def model_names(models: list[ModelLine], words: Words) -> dict[str, str]:
    """How each model (by "name@version") reads in a list, the champion marked."""
    return {
        model.label: f"{model.label}  ★ {words('champion')}" if model.state == "champion" else model.label
        for model in models
    }


def _choose_language() -> None:
    chosen = st.session_state["language_switch"]
    st.session_state["language"] = chosen
    st.query_params["lang"] = chosen
