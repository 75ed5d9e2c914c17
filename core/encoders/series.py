"""Two encoders of what happens in time: irregular events, and regular series cut into patches.

Both give finite tokens for any row, also one of which nothing was seen; such tokens are absent.

Legend: B batch, T events or time steps, F features of an event, C channels of a series, L steps of a patch,
G patches, D width, K frequencies.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.blocks import TrunkBlock, TrunkOptions, keep
from core.encoders.columns import TableOptions
from core.encoders.table import TableEncoder
from core.encoders.tokens import Tokens
from core.errors import InputError

FARTHEST = 10.0  # spreads from its mean at which a step of a series is held
LONG_AGO = -1e9  # days; earlier than any event


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """How irregular events become tokens."""

    table: TableOptions  # of the values of one event
    trunk: TrunkOptions  # of the blocks through which the events look at each other; its width is that of the tokens
    frequencies: int = 8  # of the embeddings of gap and age

    def __post_init__(self) -> None:
        if self.frequencies < 1:
            raise InputError(f"frequencies must be at least 1, got {self.frequencies}")


class EventEncoder(nn.Module):
    """One token an event: its values as a table has them, the gap since the event before, and its age.

    Events may come in any order, absent ones may stand anywhere. Times turn the queries and keys of the attention
    (`core.blocks.Attention`), so that it sees how many days lie between two events.
    """

    parts = ("time",)  # inputs beside the values

    def __init__(self, options: EventOptions) -> None:
        super().__init__()
        self.options = options
        self.values = TableEncoder(options.table)
        width = options.trunk.width
        self.mix = nn.Linear(len(options.table.columns) * options.table.width, width)
        self.frequency_2K = nn.Parameter(torch.randn(2, options.frequencies) * 0.3)
        self.times = nn.Linear(2 * (1 + 2 * options.frequencies) + 1, width, bias=False)
        self.blocks = make_blocks(options.trunk)

    def forward(self, x_BTF: Tensor, time_BT: Tensor, mask_BT: Tensor | None = None) -> Tokens:
        """Return one token an event. Times are days, the case at 0 and what lies before it negative.

        NaN in `x_BTF` is a missing value; an event whose time is NaN is absent, like those that the mask leaves out.
        """
        present_BT = time_BT.isfinite() if mask_BT is None else mask_BT & time_BT.isfinite()
        time_BT = torch.where(present_BT, time_BT.float(), 0.0)
        batch, events, features = x_BTF.shape
        cells = self.values(x_BTF.reshape(batch * events, features)).x_BTD
        x_BTD = self.mix(cells.reshape(batch, events, self.mix.in_features)) + self.times(
            self._time_features(time_BT, present_BT)
        )
        return run_blocks(self.blocks, Tokens(keep(x_BTD, present_BT), present_BT, time_BT))

    def _time_features(self, time_BT: Tensor, present_BT: Tensor) -> Tensor:
        before_BT = last_before(time_BT, present_BT)
        first_BT = before_BT <= LONG_AGO
        gap_BT = torch.where(first_BT, 0.0, time_BT - before_BT)
        z_BT2 = torch.stack([gap_BT, -time_BT], dim=-1).clamp_min(0.0).log1p()
        phase = (2 * math.pi * self.frequency_2K * z_BT2[..., None]).flatten(2)
        return torch.cat([z_BT2, phase.sin(), phase.cos(), first_BT[..., None].float()], dim=-1)


def last_before(time_BT: Tensor, present_BT: Tensor) -> Tensor:
    """Return the time of the last present event before each event; of equal times the one that stands first is earlier.

    LONG_AGO where there is none.
    """
    at_T = torch.arange(time_BT.shape[1], device=time_BT.device)
    own, other = time_BT[:, :, None], time_BT[:, None, :]
    earlier_BTT = present_BT[:, None, :] & ((other < own) | ((other == own) & (at_T < at_T[:, None])))
    times_BTT = torch.where(earlier_BTT, other, LONG_AGO)
    return functional.pad(times_BTT, (0, 1), value=LONG_AGO).amax(dim=2)  # padded: there may be no event at all


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """How regular series become tokens."""

    channels: int
    trunk: TrunkOptions  # of the blocks through which the patches look at each other; its width is that of the tokens
    patch: int = 8  # steps of a patch

    def __post_init__(self) -> None:
        if self.channels < 1 or self.patch < 1:
            raise InputError(f"channels and patch must be at least 1, got {self.channels} and {self.patch}")


class PatchEncoder(nn.Module):
    """One token a patch, after one for the level of the series (PatchTST, Nie et al. 2023, arXiv 2211.14730).

    Each series is told in spreads from its own mean; mean and spread, which that takes away, and the share of steps
    that were seen are the level token. Patches are counted from the end: the newest is whole, the oldest is filled up.
    """

    def __init__(self, options: SeriesOptions) -> None:
        super().__init__()
        self.options = options
        width, channels = options.trunk.width, options.channels
        self.mix = nn.Linear(2 * options.patch * channels, width)
        self.level = nn.Linear(3 * channels, width)
        self.blocks = make_blocks(options.trunk)

    def forward(self, x_BTC: Tensor, mask_BT: Tensor | None = None) -> Tokens:
        """Return (B, 1 + G, D): the level at position 1, the newest patch at 0, those before it below 0.

        NaN is a step that was not seen; so is a step that the mask leaves out. InputError: another number of channels.
        """
        if x_BTC.shape[2] != self.options.channels:
            raise InputError(f"the series must have {self.options.channels} channels, got {x_BTC.shape[2]}")
        seen_BTC = x_BTC.isfinite() if mask_BT is None else x_BTC.isfinite() & mask_BT[..., None]
        z_BTC, level_BC3 = to_level(torch.where(seen_BTC, x_BTC.float(), 0.0), seen_BTC)
        cells_BGP, seen_BGP = self._cut(z_BTC), self._cut(seen_BTC.float())
        patch_BGD = self.mix(torch.cat([cells_BGP, seen_BGP], dim=-1))
        level_B1D = self.level(level_BC3.flatten(1))[:, None]
        mask_BG = seen_BGP.amax(dim=-1) > 0
        mask = torch.cat([mask_BG.any(dim=1, keepdim=True), mask_BG], dim=1)
        at_T = torch.arange(mask.shape[1], device=mask.device).float()
        position_T = torch.where(at_T == 0, 1.0, at_T - (mask.shape[1] - 1))
        x = keep(torch.cat([level_B1D, patch_BGD], dim=1), mask)
        return run_blocks(self.blocks, Tokens(x, mask, position_T.expand(mask.shape[0], -1)))

    def _cut(self, x_BTC: Tensor) -> Tensor:
        """Return the patches (B, G, L * C), the series filled up with zeros in front."""
        length, (batch, steps, channels) = self.options.patch, x_BTC.shape
        patches = (steps + length - 1) // length
        return functional.pad(x_BTC, (0, 0, patches * length - steps, 0)).reshape(batch, patches, length * channels)


def to_level(x_BTC: Tensor, seen_BTC: Tensor) -> tuple[Tensor, Tensor]:
    """Return the series in spreads from its mean, 0 where unseen, and its level (B, C, 3).

    The level is the mean and the spread, both through a logarithm that keeps the sign, and the share of seen steps.
    The spread of a constant series counts as a hundred-thousandth of its mean, so that it stays flat.
    """
    count_BC = seen_BTC.float().sum(dim=1)
    mean_BC = x_BTC.sum(dim=1) / count_BC.clamp_min(1.0)
    off_BTC = torch.where(seen_BTC, x_BTC - mean_BC[:, None], 0.0)
    spread_BC = (off_BTC.square().sum(dim=1) / count_BC.clamp_min(1.0)).sqrt()
    floor_BC = mean_BC.abs() * 1e-5 + 1e-6
    z_BTC = (off_BTC / torch.maximum(spread_BC, floor_BC)[:, None]).clamp(-FARTHEST, FARTHEST)
    share_BC = seen_BTC.float().mean(dim=1)
    return z_BTC, torch.stack([mean_BC.asinh(), spread_BC.asinh(), share_BC], dim=-1)


def make_blocks(trunk: TrunkOptions) -> nn.ModuleList:
    """Return the blocks of an encoder; they have attention and no experts."""
    if trunk.heads == 0 or trunk.moe is not None:
        raise InputError("the blocks of an encoder need heads > 0 and no experts")
    return nn.ModuleList(TrunkBlock(trunk, at) for at in range(trunk.depth))


def run_blocks(blocks: nn.ModuleList, tokens: Tokens) -> Tokens:
    """Let the tokens look at each other."""
    x_BTD = tokens.x_BTD
    for block in blocks:
        x_BTD = block(x_BTD, tokens.mask_BT, tokens.position_BT).y_BTD
    return tokens._replace(x_BTD=x_BTD)
