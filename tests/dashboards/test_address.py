"""What a person chooses stands in the address, and a link brings it back."""

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from dashboards import address
    from dashboards.words import Words

    words = Words("en")
    place = st.container()
    st.write("model", address.choice(place, "model", "Model", ["a", "b"], "a", str.upper))
    st.write("decision", ",".join(address.choices(place, "decision", ["approve", "decline"], words, str)))
    st.write("text", address.text(place, "q", "Text"))
    st.write("span", str(address.span(place, "p", "Span")))
    st.write("page", str(address.page_number(place, 950, 100, words)))


def _told(app: AppTest) -> dict[str, str]:
    values = [element.value for element in app.markdown]
    return {value.split(" ", 1)[0]: value.split(" ", 1)[-1] for value in values}


def _run(**params: str | list[str]) -> AppTest:
    app = AppTest.from_function(_page)
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def test_an_empty_address_gives_the_defaults() -> None:
    app = _run()
    assert _told(app) | {"model": "a", "span": "(0.0, 1.0)", "page": "1"} == _told(app)
    assert not app.query_params


def test_a_link_brings_every_choice_back() -> None:
    app = _run(model="b", decision=["decline"], q="L1", p=["0.10", "0.50"], page="3")
    assert _told(app)["model"] == "b"
    assert _told(app)["decision"] == "decline"
    assert _told(app)["text"] == "L1"
    assert _told(app)["span"] == "(0.1, 0.5)"
    assert _told(app)["page"] == "3"


def test_a_choice_goes_into_the_address_and_back_to_page_one() -> None:
    app = _run(page="3")
    app.selectbox[0].select("b").run()
    assert app.query_params["model"] == "b"
    assert "page" not in app.query_params
    assert _told(app)["page"] == "1"


def test_the_default_is_left_out_of_the_address() -> None:
    app = _run(model="b")
    app.selectbox[0].select("a").run()
    assert "model" not in app.query_params


def test_a_link_followed_later_wins_over_what_was_chosen() -> None:
    app = _run(model="b")
    app.query_params["model"] = "a"
    assert _told(app.run())["model"] == "a"


def test_the_next_page_is_one_further_and_the_last_is_the_end() -> None:
    app = _run(page="9")
    app.button(key="page_on").click().run()
    assert _told(app)["page"] == "10"
    assert app.button(key="page_on").disabled


def test_nonsense_in_the_address_is_the_default() -> None:
    app = _run(model="'; drop table models", decision=["maybe"], p=["x", "9"], page="-4")
    assert not app.exception
    assert _told(app)["model"] == "a"
    assert _told(app)["span"] == "(0.0, 1.0)"
    assert _told(app)["page"] == "1"
