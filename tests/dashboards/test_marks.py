"""The colours can be told apart by people who do not see all of them."""

from itertools import combinations

import numpy as np
import pytest

from dashboards.marks import AMBER, BLUE, GREY, MARKS, VERDICTS, VERMILION, signed
from dashboards.words import Words

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB (https://doi.org/10.1109/TVCG.2009.113)
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _oklab(linear: np.ndarray) -> np.ndarray:
    """Ottosson's OKLab (https://bottosson.github.io/posts/oklab/): distances near how different colours look."""
    return TO_LAB @ np.cbrt(TO_CONES @ np.clip(linear, 0, 1))


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_the_colours_of_decisions_differ_for_every_eye(deficiency: str) -> None:
    seen = {colour: _oklab(DEFICIENCIES[deficiency] @ _linear(colour)) for colour in (BLUE, AMBER, VERMILION, GREY)}
    nearest = min(float(np.linalg.norm(seen[one] - seen[other])) for one, other in combinations(seen, 2))
    assert nearest > 0.07  # 0.02 is the least that is noticed side by side


@pytest.mark.parametrize("ground", ["#FFFFFF", "#10151C"])
def test_marks_stand_out_on_light_and_dark_ground(ground: str) -> None:
    def luminance(colour: str) -> float:
        return float(_linear(colour) @ [0.2126, 0.7152, 0.0722])

    for colour in (BLUE, VERMILION, GREY):
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.0  # WCAG 2.2, 1.4.11


def test_no_two_verdicts_share_a_sign_or_an_icon() -> None:
    marks = [MARKS[verdict] for verdict in VERDICTS]
    assert len({mark.sign for mark in marks}) == len({mark.icon for mark in marks}) == len(VERDICTS)


def test_a_cell_names_its_state_in_words() -> None:
    assert signed("decline", Words("zh")) == "✕ 拒绝"
    assert signed("something new", Words("en")) == "something new"
