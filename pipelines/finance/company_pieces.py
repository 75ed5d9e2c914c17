"""A table of statements cut between its cases: each piece holds so many cases and the years before them.

A piece scored alone gives its cases what the whole table gives them: their history is there, and what only the whole
table shows (a second row of the same year, a row of the company that is no good) is noted as the error of the case.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.finance.company_cells import read_figures
from pipelines.finance.company_frame import find_cases, known_columns
from pipelines.finance.company_plan import CompanyPlan


@dataclass(frozen=True, kw_only=True)
class CasePiece:
    """Rows of the table in their order. `errors` by position in the piece."""

    rows: NDArray[np.int64]  # positions in the table
    cases: tuple[int, ...]  # positions in the piece; the other rows are history
    errors: Mapping[int, str]


def cut_between_cases(
    frame: pd.DataFrame, plan: CompanyPlan, row_errors: Mapping[int, str], cases: int
) -> Iterator[CasePiece]:
    """Yield pieces of at most `cases` cases, in the order in which the whole table gives them.

    InputError: a column that the plan names is absent.
    """
    known = known_columns(frame, plan)
    # where every row is a case, a piece holds all rows whose figures its cases see, and finds their faults again
    faults = {} if plan.cases == "all" else read_figures(known, plan.figures)[1]
    found = find_cases(known, plan, row_errors, faults=faults)
    for first in range(0, found.row_LC.shape[1], cases):
        block_LC = found.row_LC[:, first : first + cases]
        rows = np.unique(block_LC[block_LC >= 0])
        places = np.searchsorted(rows, block_LC[0]).tolist()
        errors = {place: found.errors[first + at] for at, place in enumerate(places) if first + at in found.errors}
        yield CasePiece(rows=rows, cases=tuple(places), errors=errors)
