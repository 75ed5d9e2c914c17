"""Patterns that move steps: each draws a warp of the unit axis (see moves.py). K knots, S segments."""

import numpy as np

from pipelines.finance.augment.draw import Draw
from pipelines.finance.augment.moves import Piece
from pipelines.finance.augment.series import Floats

KNOTS, SPEED, NARROWEST, STRETCH = 6, 0.3, 0.3, 0.5
SLICED = 0.15  # share of the axis that a slice leaves out at magnitude 1
MOST_SEGMENTS = 5


def time_warp(steps: int, draw: Draw) -> tuple[Piece, ...]:
    """Let time run faster and slower along the series, ends kept: lognormal speeds between six knots."""
    src_K = np.linspace(0.0, 1.0, KNOTS)
    speed_K = np.exp(draw.rng.normal(size=KNOTS - 1) * SPEED * draw.magnitude)
    return (Piece(src_K=src_K, out_K=_normalised(np.append(0.0, np.cumsum(speed_K)))),)


def window_warp(steps: int, draw: Draw) -> tuple[Piece, ...]:
    """Stretch or squeeze one window of a tenth to three tenths of the axis, the rest in proportion."""
    width = draw.rng.uniform(0.1, NARROWEST)
    start = draw.rng.uniform(0.0, 1.0 - width)
    factor = float(np.exp(draw.rng.choice([-1.0, 1.0]) * STRETCH * draw.magnitude))
    src_K = np.unique(np.array([0.0, start, start + width, 1.0]))
    speed_K = np.where(np.isclose(src_K[:-1], start), factor, 1.0)
    return (Piece(src_K=src_K, out_K=_normalised(np.append(0.0, np.cumsum(np.diff(src_K) * speed_K)))),)


def window_slice(steps: int, draw: Draw) -> tuple[Piece, ...]:
    """Keep one window: on a grid stretched to the whole length, of events those inside it, at their own times."""
    left_out = float(np.clip(SLICED * draw.magnitude * draw.rng.uniform(0.5, 1.5), 0.0, 0.9))
    start = left_out if draw.anchored else draw.rng.uniform(0.0, left_out)
    window = np.array([start, start + 1.0 - left_out])
    return (Piece(src_K=window, out_K=window if draw.events else np.array([0.0, 1.0])),)


def permutation(steps: int, draw: Draw) -> tuple[Piece, ...]:
    """Cut the axis into two to five segments and put them in another order; on a grid cuts lie between steps."""
    segments = min(int(draw.rng.integers(2, MOST_SEGMENTS + 1)), steps)
    if segments < 2:
        return (Piece(src_K=np.array([0.0, 1.0]), out_K=np.array([0.0, 1.0])),)
    if draw.events:
        cuts = np.sort(draw.rng.uniform(0.0, 1.0, segments - 1))
    else:
        cuts = np.sort(draw.rng.choice(np.arange(1, steps), segments - 1, replace=False)) / steps
    edges = np.concatenate([[0.0], cuts, [1.0]])
    moving = segments - 1 if draw.anchored else segments
    order = [*draw.rng.permutation(moving).tolist(), *range(moving, segments)]
    pieces, place = [], 0.0
    for segment in order:
        src_K = edges[segment : segment + 2]
        pieces.append(Piece(src_K=src_K, out_K=place + src_K - src_K[0]))
        place += float(src_K[1] - src_K[0])
    return tuple(piece for piece in pieces if piece.src_K[1] > piece.src_K[0])


def _normalised(out_K: Floats) -> Floats:
    return np.asarray(out_K / out_K[-1], dtype=np.float64)
