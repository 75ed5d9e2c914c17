"""Figures of the inspection pages: a picture under its heatmap, escape against overkill, counts by verdict."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from PIL import Image

from dashboards import plain
from dashboards.charts import PATTERN, PATTERNS, framed
from dashboards.marks import AMBER, GREY, MARKS, VERDICTS, VERMILION
from dashboards.words import Words

LARGEST_SIDE_PX: Final = 1400
_CURVES: Final = ("escape", "overkill")
# dark violet, magenta, orange, pale yellow: lightness rises steadily, so it reads without colour too
HEAT: Final = ((0.0, (13, 8, 135)), (0.35, (156, 23, 158)), (0.65, (237, 121, 83)), (1.0, (240, 249, 33)))


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region that the model marked; `box` is x0, y0, x1, y1 in pixels of the picture as uploaded."""

    box: tuple[float, float, float, float]
    score: float
    label: str
    area_px: int


def overlay(pixels_HW3: NDArray[np.uint8], heat_hw: NDArray[np.uint8] | None, opacity: float) -> NDArray[np.uint8]:
    """Lay a grey heatmap (0..255 = probability 0..1, any size) over a picture; (H, W, 3) uint8.

    Where the probability is low the picture stays as it is: each pixel's share of colour is opacity times the
    power 0.8 of the probability.
    """
    if heat_hw is None or opacity <= 0:
        return pixels_HW3
    height, width = pixels_HW3.shape[:2]
    large_HW = cv2.resize(heat_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    stops = np.array([stop for stop, _ in HEAT]) * 255
    colours = np.array([colour for _, colour in HEAT], dtype=np.float64)
    table = np.stack([np.interp(np.arange(256), stops, colours[:, c]) for c in range(3)], axis=1)
    share_HW1 = (opacity * (np.arange(256) / 255) ** 0.8)[large_HW][..., None]
    mixed: NDArray[np.uint8] = np.rint(pixels_HW3 * (1 - share_HW1) + table[large_HW] * share_HW1).astype(np.uint8)
    return mixed


def fitted(image: Image.Image, side_px: int = LARGEST_SIDE_PX) -> Image.Image:
    """An RGB copy whose longer side is at most `side_px`."""
    rgb = image.convert("RGB")
    rgb.thumbnail((side_px, side_px))
    return rgb


def picture(
    shown_HW3: NDArray[np.uint8],
    size_px: tuple[int, int],
    regions: Sequence[Region],
    threshold: float,
    words: Words,
    heat: bool,
) -> go.Figure:
    """The picture with its regions drawn; axes in pixels of the uploaded picture (`size_px` = width, height).

    Regions whose score is under the threshold are dashed. With `heat` a colour bar reads the heatmap.
    """
    width, height = size_px
    figure = go.Figure()
    figure.add_layout_image(
        source=_data_uri(shown_HW3), xref="x", yref="y", x=0, y=0, sizex=width, sizey=height, sizing="stretch",
        layer="below",
    )  # fmt: skip
    for region in regions:
        _draw(figure, region, threshold, words)
    bar = {"orientation": "h", "y": -0.08, "yanchor": "top", "thickness": 10, "tickformat": ".0%", "len": 0.6}
    bar |= {"title": {"text": words("heatmap_title"), "side": "top"}}
    figure.add_scatter(
        x=[None], y=[None], mode="markers", showlegend=False, hoverinfo="skip",
        marker={
            "color": [0], "cmin": 0, "cmax": 1, "showscale": heat, "colorbar": bar,
            "colorscale": [[stop, f"rgb{colour}"] for stop, colour in HEAT],
        },
    )  # fmt: skip
    axis = {"showgrid": False, "zeroline": False, "ticksuffix": " px", "nticks": 6, "title": None}
    figure.update_xaxes(range=[0, width], constrain="domain", **axis)
    figure.update_yaxes(range=[height, 0], scaleanchor="x", constrain="domain", constraintoward="top", **axis)
    figure.update_layout(height=int(min(620, 680 * height / width) + 90), margin={"l": 10, "r": 10, "t": 24, "b": 70})
    return figure


def escape_overkill(curve: Mapping[str, Sequence[float]], threshold: float, words: Words) -> go.Figure:
    """Share of defective pictures passed and of good ones rejected, by threshold, with the chosen threshold."""
    figure = go.Figure()
    for name, colour, dash in (("escape", VERMILION, "solid"), ("overkill", AMBER, "dash")):
        figure.add_scatter(
            x=list(curve["threshold"]),
            y=list(curve[name]),
            name=words(name),
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{x:.3f}: %{y:.1%}<extra></extra>",
        )
    figure.add_vline(x=threshold, line={"width": 1.5, "dash": "dot", "color": GREY})
    at = {name: plain.percent(float(np.interp(threshold, curve["threshold"], curve[name]))) for name in _CURVES}
    figure.add_annotation(
        x=threshold, y=1, yref="paper", yanchor="bottom", text=words("chosen", **at), showarrow=False,
        xanchor="center" if 0.3 < threshold < 0.7 else "left" if threshold <= 0.3 else "right",
    )  # fmt: skip
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return framed(figure, words("escape_title"), words("defect_score"), words("escape_y"))


def verdict_counts(counts: Mapping[str, Mapping[str, int]], words: Words, title: str) -> go.Figure:
    """One stacked bar a row of `counts` (as judged, at another threshold), in pictures by verdict."""
    figure = go.Figure()
    for verdict in VERDICTS:
        values = [row.get(verdict, 0) for row in counts.values()]
        figure.add_bar(
            orientation="h",
            y=list(counts),
            x=values,
            name=f"{MARKS[verdict].sign} {words(verdict)}",
            marker={"color": MARKS[verdict].colour, "pattern": {"shape": PATTERNS.get(verdict, ""), **PATTERN}},
            text=[f"{value:,}" if value else "" for value in values],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{words(verdict)}: %{{x:,}}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed")
    framed(figure, title, words("number_of_pictures"), None)
    figure.update_layout(height=240)
    return figure


def _draw(figure: go.Figure, region: Region, threshold: float, words: Words) -> None:
    x0, y0, x1, y1 = region.box
    strong = region.score >= threshold
    line: dict[str, Any] = {"color": "#FFFFFF", "width": 2.5, "dash": "solid" if strong else "dot"}
    figure.add_shape(type="rect", x0=x0, y0=y0, x1=x1, y1=y1, line=line | {"color": "#000000", "width": 4.5})
    figure.add_shape(type="rect", x0=x0, y0=y0, x1=x1, y1=y1, line=line)
    label = f"{plain.figure(words.known(region.label), 24)} {region.score:.2f}"
    figure.add_annotation(
        x=x0, y=y0, text=label, showarrow=False, xanchor="left", yanchor="bottom", bgcolor="#000000",
        font={"color": "#FFFFFF", "size": 12}, borderpad=2,
    )  # fmt: skip


def _data_uri(pixels_HW3: NDArray[np.uint8]) -> str:
    held = io.BytesIO()
    Image.fromarray(pixels_HW3).save(held, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode("ascii")
