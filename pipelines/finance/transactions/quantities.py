"""What is counted of every transaction, as integers: sums of any window are exact, in whatever order they are made.

So a running stream and a sorted table give the same numbers to the last bit. Prefix sums may wrap around in 64 bits;
their differences are right as long as the sum of one window fits, and a window has at most `plan.most_events`.

M transactions, Q quantities.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
LOG_UNIT = 4_096  # steps of a natural logarithm
TURN_UNIT = 16_384  # steps of a cosine
DAY_MS = 86_400_000
NIGHT_HOURS = (0, 6)  # from, to (exclusive)
AMOUNT, LOG, LOG_SQUARE, REFUND, NIGHT, WEEKEND, COSINE, SINE, LABELLED, FRAUD, FRAUD_LOG = range(11)
GAP, GAP_SQUARE, PLACE_LOG, PLACE_SQUARE_LOG, PLACE_GAP = range(11, 16)
COUNT = 16
OF_KEY = 11  # from here on they depend on the transactions of the key before this one
_MINUTE = np.arange(1_440) * (2 * np.pi / 1_440)
_COSINE, _SINE = (np.rint(turn(_MINUTE) * TURN_UNIT).astype(np.int64) for turn in (np.cos, np.sin))


def own_quantities(time_ms_M: Ints, steps_M: Ints, unit: float, label_M: NDArray[np.int8]) -> Ints:
    """Quantities (OF_KEY, M) of the transactions themselves; see `own_quantity`."""
    return np.stack([own_quantity(q, time_ms_M, steps_M, unit, label_M) for q in range(OF_KEY)])


def own_quantity(quantity: int, time_ms_M: Ints, steps_M: Ints, unit: float, label_M: NDArray[np.int8]) -> Ints:
    """One of them (M,). Amounts are in steps of `unit`; labels are 1 for fraud, 0 for good, -1 for unknown.

    A negative amount is a refund: it counts, and its amount is 0.
    """
    if quantity == AMOUNT:
        return np.maximum(steps_M, 0)
    if quantity in (LOG, LOG_SQUARE, FRAUD_LOG):
        log_M = log_steps(np.maximum(steps_M, 0) * unit)
        return np.asarray(log_M * {LOG: 1, LOG_SQUARE: log_M, FRAUD_LOG: label_M == 1}[quantity])
    if quantity in (COSINE, SINE):
        turned = _COSINE if quantity == COSINE else _SINE
        return np.asarray(turned[(time_ms_M % DAY_MS) // 60_000])
    return np.asarray(_mark(quantity, time_ms_M, steps_M, label_M), dtype=np.int64)


def _mark(quantity: int, time_ms_M: Ints, steps_M: Ints, label_M: NDArray[np.int8]) -> NDArray[np.bool_]:
    if quantity == REFUND:
        return np.asarray(steps_M < 0)
    if quantity == NIGHT:
        return is_night(time_ms_M)
    if quantity == WEEKEND:
        return np.asarray(weekday(time_ms_M) >= 5)
    return np.asarray(label_M >= 0 if quantity == LABELLED else label_M == 1)


def log_steps(x_M: NDArray[np.float64] | Ints) -> Ints:
    """log(1 + x) in steps of 1 / LOG_UNIT."""
    return np.asarray(np.rint(np.log1p(np.asarray(x_M, dtype=np.float64)) * LOG_UNIT).astype(np.int64))


def gap_steps(gap_ms_M: Ints) -> Ints:
    """A gap between two transactions: log(1 + seconds) in steps of 1 / LOG_UNIT."""
    return log_steps(gap_ms_M / 1_000)


def fill_of_key(rows_QM: Ints, gap_M: Ints, first: int) -> None:
    """Fill what depends on the key. `gap_M` are steps; `first` is the place of the first column among those kept."""
    place_M = np.arange(first, first + rows_QM.shape[1])
    rows_QM[GAP], rows_QM[GAP_SQUARE] = gap_M, gap_M * gap_M
    rows_QM[PLACE_LOG] = place_M * rows_QM[LOG]
    rows_QM[PLACE_SQUARE_LOG] = place_M * rows_QM[PLACE_LOG]
    rows_QM[PLACE_GAP] = place_M * gap_M


def is_night(time_ms_M: Ints) -> NDArray[np.bool_]:
    """Whether the clock shows a time from midnight to before six."""
    hour_M = (time_ms_M % DAY_MS) // 3_600_000
    return np.asarray((hour_M >= NIGHT_HOURS[0]) & (hour_M < NIGHT_HOURS[1]))


def weekday(time_ms_M: Ints) -> Ints:
    """0 for Monday to 6 for Sunday; the epoch's day was a Thursday."""
    return np.asarray((time_ms_M // DAY_MS + 3) % 7, dtype=np.int64)
