"""Text models of LightGBM put together: the mean of several forests, or a forest and what was learned on top of it.

Margins of forests add up, so their sum is the forest of all their trees, and their mean the same with each leaf divided
by their number: served, explained and stacked like any other forest.
"""

import re
from collections.abc import Sequence

TREES = re.compile(r"(?P<head>.*?\n)tree_sizes=[^\n]*\n\n(?P<trees>Tree=0\n.*?)end of trees\n(?P<tail>.*)", re.DOTALL)
VALUES = re.compile(r"^(leaf_value|internal_value)=(.*)$", re.MULTILINE)


def mean_of(texts: Sequence[str]) -> str:
    """The mean of models of the same columns, as one text model of LightGBM."""
    return _joined([VALUES.sub(lambda line: _scaled(line, len(texts)), tree) for tree in _trees(texts)], texts[0])


def sum_of(texts: Sequence[str]) -> str:
    """The sum of models of the same columns, their trees one after the other; leaves keep every digit."""
    return _joined(_trees(texts), texts[0])


def _trees(texts: Sequence[str]) -> list[str]:
    """The trees of all models, without their numbers."""
    return [tree for text in texts for tree in re.split(r"(?m)^Tree=\d+\n", _parts(text)["trees"])[1:]]


def _joined(trees: Sequence[str], first: str) -> str:
    """One text model of these trees; everything else as in the first."""
    numbered = [f"Tree={number}\n{tree}" for number, tree in enumerate(trees)]
    sizes, parts = " ".join(str(len(tree.encode())) for tree in numbered), _parts(first)
    return f"{parts['head']}tree_sizes={sizes}\n\n{''.join(numbered)}end of trees\n{parts['tail']}"


def _parts(text: str) -> re.Match[str]:
    found = TREES.fullmatch(text)
    assert found is not None, "LightGBM writes its models in another way"
    return found


def _scaled(line: re.Match[str], by: int) -> str:
    values = " ".join(repr(float(value) / by) for value in line[2].split())
    return f"{line[1]}={values}"
