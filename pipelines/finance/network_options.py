"""What the network of the preset full is and how it learns. Imports no torch, as CreditOptions holds it."""

from dataclasses import dataclass, replace

from core.errors import InputError
from core.moe.options import PRESETS, MoEOptions

MANY_ROWS = 30_000


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """What the network is and how it learns; found by the left-out loss of training rows of five tables."""

    token: int = 16  # width of a feature's token
    frequencies: int = 16  # of a number's periodic embedding
    sigma: float = 0.1  # spread of the frequencies, of normal scores
    width: int = 128  # of a row token
    members: int = 8  # row tokens of a row: an ensemble that shares its matrices
    members_of_many: int = 4  # the same for tables of more than 30,000 rows, which need less of an ensemble
    depth: int = 2  # blocks of experts
    hidden: int = 32  # of an expert
    experts: str = "tiny"  # preset of core.moe.options: how many experts, how many a token goes to
    dropout: float = 0.1
    history: bool = False  # whether numbered columns that are a history are read as a series too
    history_width: int = 32  # of a token of the series
    history_heads: int = 4  # of the attention by which the row tokens read it
    drop_parts: float = 0.1  # chance that training drops the table or the series of a row
    hide: float = 0.05  # share of the features that training hides, so that a gap is nothing new
    lr: float = 2e-3
    weight_decay: float = 0.01
    most_rows: int = 1024  # in a step, of each network
    most_epochs: int = 40
    patience: int = 4  # epochs without gain

    def __post_init__(self) -> None:
        if self.experts not in PRESETS:
            raise InputError(f"experts must be one of {', '.join(PRESETS)}, got {self.experts!r}", code="BAD_OPTION")

    @property
    def moe(self) -> MoEOptions:
        """The layers of experts."""
        return PRESETS[self.experts](self.width, self.hidden)

    def for_rows(self, rows: int) -> "NetworkOptions":
        """Return the options for so many training rows."""
        return self if rows <= MANY_ROWS else replace(self, members=min(self.members, self.members_of_many))
