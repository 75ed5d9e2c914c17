"""Gallery and single picture: filters, verdicts, the threshold that might have been."""

import io
from collections.abc import Callable

from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboards import reads
from dashboards.inspection import reads as pictures
from dashboards.inspection.reads import PictureFilter
from tests.dashboards.seed import Seeded

Visit = Callable[..., AppTest]


def _model_id() -> int:
    return reads.models(kind="inspection")[0].id


def test_the_cards_count_every_picture_once(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/gallery.py")
    assert sum(int(card.value) for card in app.metric) == 40
    assert next(card.value for card in app.metric if card.label.endswith("unknown")) == "1"


def test_each_tile_says_its_verdict_in_words(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/gallery.py", verdict="reject")
    badges = [element.value for element in app.markdown if "badge" in element.value]
    assert badges
    assert all("reject" in badge for badge in badges)


def test_a_grid_holds_two_dozen_and_goes_on(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/gallery.py")
    assert len(app.get("page_link")) == pictures.PAGE_TILES
    app.button(key="page_on").click().run()
    assert len(app.get("page_link")) == 40 - pictures.PAGE_TILES


def test_nearest_the_threshold_comes_first(visit: Visit, seeded: Seeded) -> None:
    visit()
    lines = pictures.page(PictureFilter(model_id=_model_id(), order="near", threshold=0.55), 1)
    gaps = [abs(line.score - 0.55) for line in lines if line.score is not None]
    assert gaps == sorted(gaps)


def test_a_link_opens_the_picture_with_its_regions(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/picture.py", inspection=seeded.rejected_picture)
    assert app.subheader[0].value == r"part\_0000\.png"
    assert len(app.get("plotly_chart")) == 3
    assert len(app.dataframe[0].value) == 1


def test_a_higher_threshold_would_let_the_picture_pass_and_is_counted(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/picture.py", inspection=seeded.rejected_picture)
    assert "stays" in " ".join(element.value for element in app.markdown)
    slider = next(slider for slider in app.slider if slider.label.startswith("Try another"))
    slider.set_value(1.0).run()
    assert "would be" in " ".join(element.value for element in app.markdown)
    wanted = PictureFilter(model_id=_model_id())
    assert "reject" not in pictures.counts_at(wanted, 1.0, 0.35)


def test_the_counts_at_the_model_s_own_threshold_are_the_counts_as_judged(visit: Visit, seeded: Seeded) -> None:
    visit()
    wanted = PictureFilter(model_id=_model_id())
    assert pictures.counts_at(wanted, 0.55, 0.35) == pictures.counts(wanted)


def test_a_picture_that_could_not_be_judged_stays_unknown_at_any_threshold(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/picture.py", inspection=seeded.unknown_picture)
    assert "ends early" in app.error[0].value
    wanted = PictureFilter(model_id=_model_id())
    assert pictures.counts_at(wanted, 0.99, 0.99)["unknown"] == 1


def test_older_and_newer_go_through_the_pictures_in_order(visit: Visit, seeded: Seeded) -> None:
    app = visit("inspection/picture.py", inspection=f"{7:032x}")
    next(button for button in app.button if button.label == "Older").click().run()
    assert app.query_params["inspection"] == f"{6:032x}"
    next(button for button in app.button if button.label == "Newer").click().run()
    assert app.query_params["inspection"] == f"{7:032x}"


def test_a_picture_that_is_gone_from_the_store_leaves_the_verdict(visit: Visit, seeded: Seeded) -> None:
    visit()
    line = pictures.inspection(seeded.rejected_picture)
    assert line is not None
    assert line.image_key is not None
    from apps.settings import load_settings
    from apps.store.objects import open_objects

    path = open_objects(load_settings()).path(line.image_key)
    kept = path.read_bytes()
    path.unlink()
    try:
        app = visit("inspection/picture.py", inspection=seeded.rejected_picture)
        assert "object store" in app.info[0].value
        assert not app.error
    finally:
        path.write_bytes(kept)


def test_thumbnails_show_the_whole_picture(visit: Visit, seeded: Seeded) -> None:
    visit()
    line = pictures.inspection(seeded.rejected_picture)
    assert line is not None
    assert line.image_key is not None
    with Image.open(io.BytesIO(pictures.thumbnail(line.image_key, ()))) as tile:
        assert tile.size == pictures.TILE_PX


def test_an_id_that_does_not_exist_is_said_to_be_missing(visit: Visit, seeded: Seeded) -> None:
    assert "nope" in visit("inspection/picture.py", inspection="nope").info[0].value
