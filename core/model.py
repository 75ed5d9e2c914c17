"""The model: encoders -> adapters -> trunk of blocks -> heads. The only file that wires them.

Each row has R answer tokens, one a member of the ensemble. A table enters them through `Summary`; sequences (events,
series, pictures) stand beside them as tokens, which attention lets them read. So any subset of the inputs gives an
answer: what is absent adds a learned "absent" to the answer tokens, or no token.

Legend: B batch, R members, T tokens, D width, S exits, E experts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from core.blocks import RMSNorm, TrunkBlock, TrunkOptions
from core.encoders.columns import TableOptions
from core.encoders.table import TableEncoder
from core.encoders.tokens import Tokens, join
from core.errors import InputError
from core.fusion.adapters import Projection, Summary


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the model is, but for its encoders."""

    trunk: TrunkOptions
    members: int = 1  # of the ensemble that shares the trunk; each has its answer token and its heads
    exits: tuple[int, ...] = ()  # numbers of blocks after which an answer is given, beside the last
    drop_parts: float = 0.0  # chance that a part of a row is dropped in training; one always stays

    def __post_init__(self) -> None:
        if self.members < 1 or not 0 <= self.drop_parts < 1:
            words = f"{self.members} and {self.drop_parts}"
            raise InputError(f"members must be at least 1 and drop_parts lie in 0..1, got {words}")
        depths = self.depths
        if depths[0] < 0 or not all(low < high for low, high in pairwise(depths)):
            raise InputError(f"exits must rise within 0..{self.trunk.depth - 1} (blocks), got {self.exits}")

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks before each answer; the last answer stands after all."""
        return (*self.exits, self.trunk.depth)


@dataclass(frozen=True)
class ModelOutputs:
    """What the model says of a batch; log-odds, so that losses stay exact."""

    member_SBR: Tensor  # of each exit passed and member; train on the mean of their losses
    margin_SB: Tensor  # the answer of each exit, the last last: the mean over the members
    loss: Tensor  # scalar, of the experts' balance; 0 in evaluation
    load_LE: tuple[Tensor, ...]  # tokens that each expert of each block took
    tokens: Tokens  # after the last block: R answer tokens, then the sequences
    places: Mapping[str, slice]  # where the tokens of each sequence that came stand in `tokens`


class Exit(nn.Module):
    """Norm and one linear map a member: answer tokens (B, R, D) to log-odds (B, R)."""

    def __init__(self, width: int, members: int, dropout: float) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.weight_RD = nn.Parameter(torch.randn(members, width) * 0.02)
        self.bias_R = nn.Parameter(torch.zeros(members))

    def forward(self, x_BRD: Tensor) -> Tensor:
        out: Tensor = (self.dropout(self.norm(x_BRD)).float() * self.weight_RD).sum(dim=-1) + self.bias_R
        return out


class AssayModel(nn.Module):
    """Encoders and adapters by modality, then the trunk, then a head after each chosen depth.

    An encoder is called with the input of its name, one more input `<name>_<part>` for each of its `parts`, and a
    mask; so events need `events` and `events_time`. Its adapter is a `Summary` or a `Projection`.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], adapters: Mapping[str, Summary | Projection], options: ModelOptions
    ) -> None:
        super().__init__()
        _check(encoders, adapters, options)
        self.options = options
        self.encoders = nn.ModuleDict(dict(encoders))
        self.adapters = nn.ModuleDict(dict(adapters))
        width, members, trunk = options.trunk.width, options.members, options.trunk
        self.answer_RD = nn.Parameter(torch.randn(members, width) * 0.02)
        summaries = [name for name, adapter in adapters.items() if isinstance(adapter, Summary)]
        self.absent = nn.ParameterDict({name: torch.zeros(members, width) for name in summaries})
        self.blocks = nn.ModuleList(TrunkBlock(trunk, at) for at in range(trunk.depth))
        self.dropout = nn.Dropout(trunk.dropout)
        self.exits = nn.ModuleList(Exit(width, members, trunk.dropout) for _ in options.depths)

    def forward(self, inputs: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None) -> ModelOutputs:
        """Answer from the inputs that came. InputError where there is none, or one that no encoder takes.

        A mask says what is present, under the name of its input: (B,) tells whether a row has that part at all;
        (B, T) is for the encoder and tells which tokens a row has, or which features are not hidden from the model.
        """
        tokens, places = self.encode(inputs, masks or {})
        return self.run_trunk(tokens, places)

    def encode(self, inputs: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> tuple[Tokens, dict[str, slice]]:
        """Return the tokens that enter the trunk, and where each sequence lies among them."""
        names = self._names(inputs)
        present_PB = self._present(names, inputs, masks)
        answer_BRD, sequences, places = self._start(inputs[names[0]]), [], {}
        at = self.options.members
        for name, present_B in zip(names, present_PB, strict=True):
            tokens = self.adapters[name](self._tokens(name, inputs, masks))
            mask_BT = tokens.mask_BT & present_B[:, None]
            if name in self.absent:
                answer_BRD = answer_BRD + torch.where(mask_BT[..., None], tokens.x_BTD, self.absent[name])
            else:
                sequences.append(
                    Tokens(torch.where(mask_BT[..., None], tokens.x_BTD, 0.0), mask_BT, tokens.position_BT)
                )
                places[name] = slice(at, at + tokens.x_BTD.shape[1])
                at = places[name].stop
        for name in self.absent.keys() - set(names):
            answer_BRD = answer_BRD + self.absent[name]
        answers = Tokens(answer_BRD, torch.ones_like(answer_BRD[..., 0], dtype=torch.bool))
        return join([answers, *sequences]), places

    def run_trunk(
        self, tokens: Tokens, places: Mapping[str, slice], first: int = 0, last: int | None = None
    ) -> ModelOutputs:
        """Run the blocks from number `first` up to before `last`, and the exits before, between and after them.

        So a row may stop at an exit and go on later from the tokens that came.
        """
        last = self.options.trunk.depth if last is None else last
        x_BTD = self.dropout(tokens.x_BTD) if first == 0 else tokens.x_BTD
        mask_BT = tokens.mask_BT if places else None  # answer tokens alone are all present
        loss, loads = x_BTD.new_zeros(()), []
        margins = self._answers(first, x_BTD)
        for depth in range(first, last):
            mixed = self.blocks[depth](x_BTD, mask_BT, tokens.position_BT)
            x_BTD, loss = mixed.y_BTD, loss + mixed.loss
            loads.append(mixed.load_E)
            margins += self._answers(depth + 1, x_BTD)
        member_SBR = torch.stack(margins) if margins else x_BTD.new_zeros(0, x_BTD.shape[0], self.options.members)
        after = tokens._replace(x_BTD=x_BTD)
        return ModelOutputs(member_SBR, member_SBR.mean(dim=-1), loss, tuple(loads), after, places)

    def _answers(self, depth: int, x_BTD: Tensor) -> list[Tensor]:
        at = [number for number, blocks in enumerate(self.options.depths) if blocks == depth]
        return [self.exits[number](x_BTD[:, : self.options.members]) for number in at]

    def _start(self, example: Tensor) -> Tensor:
        return self.answer_RD.expand(example.shape[0], -1, -1)

    def _names(self, inputs: Mapping[str, Tensor]) -> list[str]:
        names = [name for name in self.encoders if name in inputs]
        taken = {f"{name}_{part}" for name in names for part in _parts(self.encoders[name])} | set(names)
        if not names or taken != set(inputs):
            words = ", ".join(sorted(inputs)) or "none"
            raise InputError(f"inputs must be at least one of {', '.join(self.encoders)} with its parts, got {words}")
        return names

    def _tokens(self, name: str, inputs: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tokens:
        encoder, mask = self.encoders[name], masks.get(name)
        parts = [inputs[f"{name}_{part}"] for part in _parts(encoder)]
        tokens: Tokens = encoder(inputs[name], *parts, *([mask] if mask is not None and mask.ndim > 1 else []))
        return tokens

    def _present(self, names: Sequence[str], inputs: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Tell which part of which row is there, (parts, B); in training some are dropped, never all of a row."""
        everyone = torch.ones_like(inputs[names[0]].flatten(1)[:, 0], dtype=torch.bool)
        whole = {name: mask for name, mask in masks.items() if mask.ndim == 1}
        present_PB = torch.stack([whole.get(name, everyone) for name in names])
        if self.training and self.options.drop_parts and len(names) > 1:
            luck_PB = torch.rand(present_PB.shape, device=present_PB.device)
            stays_PB = luck_PB == luck_PB.masked_fill(~present_PB, -1.0).max(dim=0).values
            present_PB = present_PB & (stays_PB | (luck_PB >= self.options.drop_parts))
        return present_PB


class ServedModel(nn.Module):
    """What is exported of a model over a table: `margin` (B,), and `exit_0`, `exit_1` ... (B,) of the earlier exits.

    `given` (B, F), where it comes, is 0 for features that are hidden from the model.
    """

    def __init__(self, model: AssayModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, table: Tensor, given: Tensor | None = None) -> dict[str, Tensor]:
        margin_SB = self.model({"table": table}, {} if given is None else {"table": given > 0.5}).margin_SB
        early = {f"exit_{at}": margin_SB[at] for at in range(len(self.model.options.exits))}
        return {"margin": margin_SB[-1], **early}


def table_model(table: TableOptions, options: ModelOptions) -> AssayModel:
    """Return the model over a table alone."""
    adapter = Summary(len(table.columns), table.width, options.trunk.width, options.members)
    return AssayModel({"table": TableEncoder(table)}, {"table": adapter}, options)


def _parts(encoder: nn.Module) -> tuple[str, ...]:
    parts: tuple[str, ...] = getattr(encoder, "parts", ())
    return parts


def _check(
    encoders: Mapping[str, nn.Module], adapters: Mapping[str, Summary | Projection], options: ModelOptions
) -> None:
    if not encoders or encoders.keys() != adapters.keys():
        words = f"{', '.join(encoders)} and {', '.join(adapters)}"
        raise InputError(f"encoders and adapters must have the same names, at least one, got {words}")
    for name, adapter in adapters.items():
        if isinstance(adapter, Summary) and adapter.members != options.members:
            raise InputError(f"the summary of {name} must have {options.members} members, got {adapter.members}")
        if isinstance(adapter, Projection) and options.trunk.heads == 0:
            raise InputError(f"the tokens of {name} need a trunk with attention: heads must be > 0, got 0")
