"""What the inspection pages read: pages of inspections, counts at any threshold, and pictures made small."""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sqlalchemy import ColumnElement, Row, case, func, select
from sqlalchemy.orm import Session

from apps.store.tables import Inspection
from core.errors import NotFoundError
from dashboards import reads
from dashboards.inspection.figures import LARGEST_SIDE_PX, Region
from dashboards.reads import cached
from data.images import decode

PAGE_TILES: Final = 24
TILE_PX: Final = (320, 240)
ONLINE: Final = "online"


@dataclass(frozen=True, kw_only=True)
class PictureFilter:
    """Which inspections are meant. `job` is a job's id, "online" or "" for all; `threshold` serves the order "near"."""

    model_id: int
    job: str = ""
    verdicts: tuple[str, ...] = ()
    path: str = ""
    order: str = "new"
    threshold: float = 0.5


@dataclass(frozen=True, kw_only=True)
class PictureLine:
    """One inspected picture; `answer` is the contract's document."""

    id: str
    model_id: int
    path: str | None
    verdict: str
    score: float | None
    answer: dict[str, Any]
    image_key: str | None
    heatmap_key: str | None
    created_at: datetime

    @property
    def name(self) -> str:
        """The last part of the path, or the id."""
        return (self.path or self.id).replace("\\", "/").rsplit("/", 1)[-1]

    @property
    def threshold(self) -> float | None:
        """The threshold that this picture was judged by."""
        value = self.answer.get("threshold")
        return float(value) if isinstance(value, int | float) else None

    @property
    def regions(self) -> list[Region]:
        """The marked regions, in pixels of the picture as uploaded."""
        return [
            Region(
                box=tuple(float(edge) for edge in region["box"]),  # type: ignore[arg-type]
                score=float(region["score"]),
                label=str(region.get("label") or ""),
                area_px=int(region.get("area_px") or 0),
            )
            for region in self.answer.get("regions") or []
        ]


@cached
def counts(session: Session, wanted: PictureFilter) -> dict[str, int]:
    """Pictures by verdict, whatever verdicts the filter keeps."""
    query = select(Inspection.verdict, func.count()).where(*_conditions(wanted)).group_by(Inspection.verdict)
    return dict(session.execute(query).all())


@cached
def counts_at(session: Session, wanted: PictureFilter, reject: float, review: float) -> dict[str, int]:
    """Pictures by the verdict that they would have at another threshold; without a score they stay unknown."""
    verdict = case(
        (Inspection.score.is_(None) | (Inspection.verdict == "unknown"), "unknown"),
        (Inspection.score >= reject, "reject"),
        (Inspection.score >= review, "review"),
        else_="pass",
    )
    query = select(verdict, func.count()).where(*_conditions(wanted)).group_by(verdict)
    return dict(session.execute(query).all())


@cached
def page(session: Session, wanted: PictureFilter, number: int) -> list[PictureLine]:
    """Page `number` (from 1) of PAGE_TILES inspections."""
    query = select(*_columns()).where(*_conditions(wanted)).order_by(*_order(wanted))
    if wanted.verdicts:
        query = query.where(Inspection.verdict.in_(wanted.verdicts))
    return [_picture(row) for row in session.execute(query.offset((number - 1) * PAGE_TILES).limit(PAGE_TILES))]


@cached
def inspection(session: Session, inspection_id: str) -> PictureLine | None:
    """One inspection by its id; None where there is none."""
    row = session.execute(select(*_columns()).where(Inspection.id == inspection_id)).one_or_none()
    return None if row is None else _picture(row)


@cached
def neighbours(session: Session, line: PictureLine) -> tuple[str | None, str | None]:
    """The ids of the next older and next newer inspection of the same model."""
    moment = (Inspection.created_at, Inspection.id)
    same = select(Inspection.id).where(Inspection.model_id == line.model_id)
    at = (Inspection.created_at == line.created_at) & (Inspection.id < line.id)
    older = same.where((Inspection.created_at < line.created_at) | at)
    at = (Inspection.created_at == line.created_at) & (Inspection.id > line.id)
    newer = same.where((Inspection.created_at > line.created_at) | at)
    return (
        session.scalar(older.order_by(*(column.desc() for column in moment)).limit(1)),
        session.scalar(newer.order_by(*moment).limit(1)),
    )


@st.cache_data(max_entries=2_000, show_spinner=False)
def thumbnail(image_key: str, boxes: tuple[tuple[float, float, float, float], ...]) -> bytes:
    """The whole picture with its regions outlined, within TILE_PX, as WebP; what is left over is transparent.

    NotFoundError or InputError when the picture is gone or cannot be read.
    """
    image = Image.fromarray(decode(reads.stored(image_key), image_id=image_key).pixels)
    scale = min(TILE_PX[0] / image.width, TILE_PX[1] / image.height)
    size_px = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    tile = Image.new("RGBA", TILE_PX)
    corner = (TILE_PX[0] - size_px[0]) // 2, (TILE_PX[1] - size_px[1]) // 2
    tile.paste(image.resize(size_px, Image.Resampling.LANCZOS), corner)
    draw = ImageDraw.Draw(tile)
    for box in boxes:
        edges = [edge * scale + corner[place % 2] for place, edge in enumerate(box)]
        edges[2:] = [max(edges[2], edges[0] + 4), max(edges[3], edges[1] + 4)]
        for grow, colour in ((2, "black"), (1, "white"), (0, "white"), (-1, "black")):
            draw.rectangle([edges[0] - grow, edges[1] - grow, edges[2] + grow, edges[3] + grow], outline=colour)
    held = io.BytesIO()
    tile.save(held, "WEBP", quality=85)
    return held.getvalue()


@st.cache_data(max_entries=50, show_spinner=False)
def pixels(image_key: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The picture for the screen, (H, W, 3), longest side LARGEST_SIDE_PX, and its width and height as uploaded."""
    image = Image.fromarray(decode(reads.stored(image_key), image_id=image_key).pixels)
    size_px = image.size
    image.thumbnail((LARGEST_SIDE_PX, LARGEST_SIDE_PX))
    return np.asarray(image), size_px


@st.cache_data(max_entries=50, show_spinner=False)
def heatmap(heatmap_key: str) -> NDArray[np.uint8]:
    """The kept heatmap (h, w), 0..255 for a defect probability of 0..1."""
    with Image.open(io.BytesIO(reads.stored(heatmap_key)), formats=("PNG",)) as image:
        return np.asarray(image.convert("L"))


def heatmap_or_none(line: PictureLine) -> NDArray[np.uint8] | None:
    """The heatmap of an inspection, or None where none was kept or it is gone."""
    if line.heatmap_key is None:
        return None
    try:
        return heatmap(line.heatmap_key)
    except NotFoundError:
        return None


def _conditions(wanted: PictureFilter) -> list[ColumnElement[bool]]:
    """All but the verdict, by which counts are told apart."""
    conditions = [Inspection.model_id == wanted.model_id]
    if wanted.job:
        conditions.append(Inspection.job_id.is_(None) if wanted.job == ONLINE else Inspection.job_id == wanted.job)
    if wanted.path:
        conditions.append(Inspection.path.contains(wanted.path, autoescape=True))
    return conditions


def _order(wanted: PictureFilter) -> list[ColumnElement[Any]]:
    if wanted.order == "near":
        return [Inspection.score.is_(None), func.abs(Inspection.score - wanted.threshold), Inspection.id.asc()]
    if wanted.order == "high":
        return [Inspection.score.is_(None), Inspection.score.desc(), Inspection.id.asc()]
    return [Inspection.created_at.desc(), Inspection.id.desc()]


def _columns() -> list[Any]:
    return [getattr(Inspection, name) for name in PictureLine.__dataclass_fields__]


def _picture(row: Row[Any]) -> PictureLine:
    return PictureLine(**row._mapping)
