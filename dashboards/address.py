"""Widgets whose values live in the page's address, so that a link shows another person the same view.

Values are written as keys ("decline", not the word shown), so that a link works in either language. The address wins
over the widget whenever it was changed from outside (a link, the back button); else the widget wins.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards.words import Words

T = TypeVar("T")


def choice(
    place: DeltaGenerator, name: str, label: str, options: Sequence[str], default: str, shown: Callable[[str], str]
) -> str:
    """A select box; `default` is left out of the address."""
    key = _begin(name, default, lambda raw: raw[0] if raw and raw[0] in options else default)
    if st.session_state[key] not in options:
        st.session_state[key] = default
    value: str = place.selectbox(label, list(options), format_func=shown, key=key, on_change=_touched, args=(name,))
    return _end(name, value, [] if value == default else [value])


def choices(
    place: DeltaGenerator, name: str, options: Sequence[str], words: Words, shown: Callable[[str], str]
) -> tuple[str, ...]:
    """Pills of which any may be on; none on means all."""
    none: list[str] = []
    key = _begin(name, none, lambda raw: [value for value in raw if value in options])
    value: list[str] = place.pills(
        words(name), list(options), selection_mode="multi", format_func=shown, key=key, on_change=_touched, args=(name,)
    )
    return _end(name, tuple(value), list(value))


def text(place: DeltaGenerator, name: str, label: str, placeholder: str = "") -> str:
    """A line of text, 200 characters at most, without blanks around it."""
    key = _begin(name, "", lambda raw: raw[0][:200] if raw else "")
    value = place.text_input(
        label,
        key=key,
        max_chars=200,
        placeholder=placeholder,
        on_change=_touched,
        args=(name,),
        icon=":material/search:",
    )
    value = (value or "").strip()
    return _end(name, value, [value] if value else [])


def span(place: DeltaGenerator, name: str, label: str) -> tuple[float, float]:
    """A range within 0..1, in steps of a hundredth."""
    key = _begin(name, (0.0, 1.0), _read_span)
    chosen: Any = place.slider(label, 0.0, 1.0, step=0.01, format="percent", key=key, on_change=_touched, args=(name,))
    low, high = chosen
    return _end(name, (low, high), [] if (low, high) == (0.0, 1.0) else [f"{low:.2f}", f"{high:.2f}"])


def page_number(place: DeltaGenerator, total: int, size: int, words: Words) -> int:
    """Previous and next buttons for `total` things, `size` on a page; the number, from 1, stands in the address."""
    pages = max(-(-total // size), 1)
    raw = st.query_params.get("page", "1")
    page = min(max(int(raw) if raw.isdecimal() else 1, 1), pages)
    row = place.container(horizontal=True, vertical_alignment="center", gap="small")
    back = row.button(words("previous"), icon=":material/chevron_left:", disabled=page <= 1, key="page_back")
    row.write(words("page_of", page=page, pages=pages))
    onward = row.button(
        words("next"), icon=":material/chevron_right:", icon_position="right", disabled=page >= pages, key="page_on"
    )
    first = (page - 1) * size
    row.caption(words("shown", first=min(first + 1, total), last=min(first + size, total), total=total))
    if back or onward:
        st.query_params["page"] = str(page + 1 if onward else page - 1)
        st.rerun()
    return page


def first_page() -> None:
    """Go back to the first page: called when a filter changed what is listed."""
    st.query_params.pop("page", None)


def _begin(name: str, default: T, read: Callable[[list[str]], T]) -> str:
    """Put the address's value into the widget's state, unless it was this widget that the person just moved."""
    # one widget a page and language: Streamlit mixes up two that share a key across pages or change their options
    key = f"{name}:{st.session_state.get('page', '')}:{st.session_state.get('language', 'en')}"
    raw = st.query_params.get_all(name)
    moved = st.session_state.pop(f"moved:{name}", False)
    if key not in st.session_state or (not moved and raw != st.session_state.get(f"address:{name}", [])):
        st.session_state[key] = read(raw) if raw else default
    return key


def _end(name: str, value: T, raw: list[str]) -> T:
    if raw != st.query_params.get_all(name):
        if raw:
            st.query_params[name] = raw
        else:
            st.query_params.pop(name, None)
    st.session_state[f"address:{name}"] = raw
    return value


def _touched(name: str) -> None:
    st.session_state[f"moved:{name}"] = True
    first_page()


def _read_span(raw: list[str]) -> tuple[float, float]:
    try:
        low, high = (min(max(float(end), 0.0), 1.0) for end in raw)
    except ValueError:
        return 0.0, 1.0
    return (low, high) if low <= high else (0.0, 1.0)
