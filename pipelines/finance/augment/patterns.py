"""All patterns by name, each with what it does to labels and what it cannot keep."""

from core.errors import InputError
from pipelines.finance.augment import changes, mixes, warps
from pipelines.finance.augment.draw import Pattern

PATTERNS: dict[str, Pattern] = {
    "jitter": Pattern(words="white noise", change=changes.jitter),
    "scaling": Pattern(words="one factor a channel", change=changes.scaling),
    "magnitude_warp": Pattern(words="a smooth factor along the series", change=changes.magnitude_warp),
    "seasonal": Pattern(words="a wave", change=changes.seasonal),
    "trend": Pattern(words="a straight line", change=changes.trend),
    "level_shift": Pattern(words="a step up or down", change=changes.level_shift, injects=True),
    "spike": Pattern(words="one to three spikes", change=changes.spike, injects=True),
    "regime_change": Pattern(
        words="other swings and level from a place on", change=changes.regime_change, injects=True
    ),
    "dropout": Pattern(words="a burst of missing values", change=changes.dropout),
    "frequency_mask": Pattern(
        words="a band of frequencies taken out", change=changes.frequency_mask, even_grid=True
    ),
    "time_warp": Pattern(words="time runs faster and slower", warp=warps.time_warp, points="move"),
    "window_warp": Pattern(words="one window stretched or squeezed", warp=warps.window_warp, points="move"),
    "window_slice": Pattern(words="one window kept", warp=warps.window_slice, points="move"),
    "permutation": Pattern(words="segments in another order", warp=warps.permutation, points="move"),
    "mixup": Pattern(words="average with one of the class", mix=mixes.mixup, label="mixes", points="join"),
    "splice": Pattern(words="the past of one of the class before the end of this one", mix=mixes.splice, points="join"),
    "graft": Pattern(
        words="the past of any series before the judged step", mix=mixes.graft, points="join", anchored=True
    ),
    "barycentre": Pattern(
        words="weighted mean of near ones of the class under time warping", mix=mixes.barycentre_average,
        label="mixes", points="join", refuses=("calendar",),
    ),
}  # fmt: skip


def pattern_of(name: str) -> Pattern:
    """The pattern of that name. Raises InputError."""
    if name not in PATTERNS:
        raise InputError(f"there is no pattern {name!r}; there are {', '.join(PATTERNS)}")
    return PATTERNS[name]


def refusal(name: str, kinds: frozenset[str], has_times: bool, anchored: bool) -> str | None:
    """Why a pattern cannot be used on series under these constraints, or None where it can."""
    pattern = pattern_of(name)
    broken = sorted(set(pattern.refuses) & kinds)
    if broken:
        return f"pattern {name!r} cannot keep the constraint {broken[0]!r}; leave the pattern out, or the constraint"
    if pattern.even_grid and has_times:
        return f"pattern {name!r} needs even steps, and these series have times of their own; leave the pattern out"
    if pattern.anchored and not anchored:
        return f"pattern {name!r} needs labels that are about the last step (anchored); declare it, or leave it out"
    return None
