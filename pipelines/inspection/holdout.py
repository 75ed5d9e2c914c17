"""Validation pictures where none are given, and the check that nothing leaks from training into validation."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from core.errors import InputError
from data.inspection.split_file import LabelledImage, shared_groups


def check_apart(learned: Sequence[LabelledImage], held: Sequence[LabelledImage]) -> None:
    """Raise InputError where a group or a picture stands in both splits."""
    if shared := shared_groups(learned, held):
        more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise InputError(
            f"training and validation share {shared[0]}{more}; rows of one group must stay in one split, "
            "else validation praises what it has seen"
        )


def hold_out(
    images: Sequence[LabelledImage], *, share: float, seed: int
) -> tuple[tuple[LabelledImage, ...], tuple[LabelledImage, ...]]:
    """Split into (learned, held) by whole groups, rarest class first, about `share` of each class held.

    A class whose pictures are all in one group stays in training. Raises InputError where nothing could be held.
    """
    groups: dict[str, list[LabelledImage]] = defaultdict(list)
    for image in images:
        groups[image.group or image.name].append(image)
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    totals = {label: sum(image.label == label for image in images) for label in {image.label for image in images}}
    for label in sorted(totals, key=lambda label: (totals[label], label)):
        mine = sorted(name for name, some in groups.items() if any(image.label == label for image in some))
        have = sum(image.label == label for name in held for image in groups[name])
        for name in rng.permutation(mine):
            count = sum(image.label == label for image in groups[name])
            if name not in held and have < share * totals[label] and have + count <= totals[label] / 2:
                held.add(str(name))
                have += count
    kept = tuple(image for image in images if (image.group or image.name) not in held)
    out = tuple(image for image in images if (image.group or image.name) in held)
    if not out:
        raise InputError(f"no validation pictures: {len(images)} pictures in {len(groups)} groups cannot be split")
    return kept, out
