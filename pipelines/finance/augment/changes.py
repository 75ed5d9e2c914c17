"""Patterns that change values and leave every step where it is. T steps, C channels, F frequencies, K knots.

Each takes the values (T, C), missing ones NaN, and returns new ones; NaN stays NaN. Unit strengths are small beside
the spread of a series (Um et al. 2017 for jitter, scaling and magnitude warp); the magnitude multiplies them.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

from pipelines.finance.augment.draw import Changed, Draw, visible
from pipelines.finance.augment.series import Floats, fill_gaps

JITTER, SCALING, WAVE, SLOPE, SHIFT, SPIKE = 0.1, 0.2, 0.4, 0.8, 0.8, 3.0  # unit strengths, in spreads
LONGEST_BURST, WIDEST_BAND, MOST_SPIKES, KNOTS = 0.2, 0.25, 3, 5


def jitter(x_TC: Floats, draw: Draw) -> Changed:
    """Add white noise of a tenth of the spread."""
    noise_TC = draw.rng.normal(size=x_TC.shape) * JITTER * draw.magnitude * draw.spread_C
    return Changed(x_TC=x_TC + noise_TC)


def scaling(x_TC: Floats, draw: Draw) -> Changed:
    """Multiply each channel by one lognormal factor around 1."""
    return Changed(x_TC=x_TC * np.exp(draw.rng.normal(size=x_TC.shape[1]) * SCALING * draw.magnitude))


def magnitude_warp(x_TC: Floats, draw: Draw) -> Changed:
    """Multiply each channel by a smooth curve around 1 through five random knots."""
    knots_KC = np.exp(draw.rng.normal(size=(KNOTS, x_TC.shape[1])) * SCALING * draw.magnitude)
    curve = PchipInterpolator(np.linspace(0.0, 1.0, KNOTS), knots_KC, axis=0)
    return Changed(x_TC=x_TC * curve(np.clip(draw.at_T, 0.0, 1.0)))


def seasonal(x_TC: Floats, draw: Draw) -> Changed:
    """Add a wave: of the calendar's period where one is declared, else of 2 to 8 cycles over the series."""
    cycles = draw.rng.uniform(2.0, 8.0) if draw.period is None else 1.0 / draw.period
    wave_T = np.sin(2 * np.pi * (cycles * draw.at_T + draw.rng.random()))
    return Changed(x_TC=x_TC + wave_T[:, None] * WAVE * draw.magnitude * draw.spread_C)


def trend(x_TC: Floats, draw: Draw) -> Changed:
    """Add a straight line through the middle, up or down by channel."""
    slope_C = draw.rng.uniform(-1.0, 1.0, x_TC.shape[1]) * SLOPE * draw.magnitude * draw.spread_C
    return Changed(x_TC=x_TC + (draw.at_T - 0.5)[:, None] * slope_C)


def level_shift(x_TC: Floats, draw: Draw) -> Changed:
    """Add a step that begins at a random place and lasts to the end."""
    start = int(draw.rng.integers(1, max(len(x_TC), 2)))
    shift_C = draw.rng.choice([-1.0, 1.0], x_TC.shape[1]) * SHIFT * draw.magnitude * draw.spread_C
    new_TC = x_TC.copy()
    new_TC[start:] += shift_C
    return Changed(x_TC=new_TC, injected=tuple(range(start, len(x_TC))))


def spike(x_TC: Floats, draw: Draw) -> Changed:
    """Add one to three spikes of three spreads, all channels at once."""
    steps = visible(x_TC, draw)
    if not len(steps):
        return Changed(x_TC=x_TC)
    hit = draw.rng.choice(steps, min(int(draw.rng.integers(1, MOST_SPIKES + 1)), len(steps)), replace=False)
    new_TC = x_TC.copy()
    new_TC[hit] += draw.rng.choice([-1.0, 1.0], (len(hit), 1)) * SPIKE * draw.magnitude * draw.spread_C
    return Changed(x_TC=new_TC, injected=tuple(sorted(hit.tolist())))


def regime_change(x_TC: Floats, draw: Draw) -> Changed:
    """From a random place on let values swing more, or less, widely around the mean, and around another level."""
    start = int(draw.rng.integers(1, max(len(x_TC), 2)))
    wider = float(np.exp(draw.rng.choice([-1.0, 1.0]) * np.log(1.5) * draw.magnitude))
    level_C = draw.rng.normal(size=x_TC.shape[1]) * SHIFT / 2 * draw.magnitude * draw.spread_C
    mean_C = np.nansum(x_TC, axis=0) / np.maximum(np.isfinite(x_TC).sum(axis=0), 1)
    new_TC = x_TC.copy()
    new_TC[start:] = mean_C + (x_TC[start:] - mean_C) * wider + level_C
    return Changed(x_TC=new_TC, injected=tuple(range(start, len(x_TC))))


def dropout(x_TC: Floats, draw: Draw) -> Changed:
    """Hide a burst of up to a fifth of the steps in every channel, or in a single one."""
    steps = visible(x_TC, draw)
    if not len(steps):
        return Changed(x_TC=x_TC)
    length = max(1, round(draw.rng.uniform(0.0, LONGEST_BURST) * draw.magnitude * len(x_TC)))
    start = int(draw.rng.integers(0, len(steps)))
    channels = [int(draw.rng.integers(x_TC.shape[1]))] if draw.rng.random() < 0.5 else list(range(x_TC.shape[1]))
    new_TC = x_TC.copy()
    new_TC[steps[start : start + length][:, None], channels] = np.nan
    return Changed(x_TC=new_TC)


def frequency_mask(x_TC: Floats, draw: Draw) -> Changed:
    """Take a random band of up to a quarter of the frequencies out; the mean stays (after Park et al. 2019)."""
    filled_TC = np.apply_along_axis(fill_gaps, 0, x_TC)
    wave_FC = np.fft.rfft(filled_TC, axis=0)
    bands = len(wave_FC) - 1  # without the mean
    if bands < 1:
        return Changed(x_TC=x_TC)
    width = int(np.clip(round(draw.rng.uniform(0.0, WIDEST_BAND) * draw.magnitude * bands), 1, bands))
    start = 1 + int(draw.rng.integers(0, bands - width + 1))
    wave_FC[start : start + width] = 0.0
    new_TC = np.fft.irfft(wave_FC, n=len(x_TC), axis=0)
    return Changed(x_TC=np.where(np.isnan(x_TC), np.nan, new_TC))
