"""A table becomes one token a feature: numbers embedded, categories looked up, what is not a number a token of its own.

Numbers: periodic or piecewise-linear embeddings of Gorishniy et al. 2022, arXiv 2203.05556, each with the plain number
beside them: z -> [sin(2 pi c z), cos(2 pi c z), z], or the filling of bins, then a linear map per feature and ReLU.
Missing, each special code and "hidden" (kept from the model in training) are learned tokens, not numbers.

Legend: B batch, F features, n numbers among them, D width, K frequencies, T bins.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.encoders.columns import TableColumn, TableOptions
from core.encoders.tokens import Tokens
from core.errors import InputError

FARTHEST = 10.0  # spreads from the mean at which a number is held
NEVER = 2.0**126  # left edge of bins that nothing fills; finite in float32
MISSING, HIDDEN, CODES = 0, 1, 2  # rows of a column in the vocabulary: missing, hidden, its codes, its categories


class TableEncoder(nn.Module):
    """Maps (B, F) float32, NaN for missing and category codes as numbers, to `Tokens` (B, F, D), all present.

    A category that is NaN, no whole number or out of range counts as missing.
    """

    start_F: Tensor  # first row of each column in the vocabulary
    first_F: Tensor  # of its categories, counted from there
    categories_F: Tensor  # how many
    code_FS: Tensor  # its special codes, filled up with NaN
    where_n: Tensor  # columns of numbers
    slot_F: Tensor  # where the token of each column stands in [embedded numbers, looked up]

    def __init__(self, options: TableOptions) -> None:
        super().__init__()
        self.options = options
        columns = options.columns
        self.features = len(columns)
        numbers = [at for at, column in enumerate(columns) if column.kind == "number"]
        self.all_numbers = len(numbers) == len(columns)
        codes = max(len(column.special_codes) for column in columns)
        padded = [[*column.special_codes, *[math.nan] * (codes - len(column.special_codes))] for column in columns]
        rows = [CODES + len(column.special_codes) + column.categories for column in columns]
        self._keep("start_F", torch.tensor([0, *rows[:-1]]).cumsum(0))
        self._keep("code_FS", torch.tensor(padded, dtype=torch.float32).reshape(len(columns), codes))
        self._keep("first_F", torch.tensor([CODES + len(column.special_codes) for column in columns]))
        self._keep("categories_F", torch.tensor([column.categories for column in columns]))
        self._keep("where_n", torch.tensor(numbers, dtype=torch.long))
        slot = {at: place for place, at in enumerate(numbers)}
        self._keep("slot_F", torch.tensor([slot.get(at, len(numbers) + at) for at in range(len(columns))]))
        self.vocabulary = nn.Parameter(torch.randn(sum(rows), options.width) * 0.3)
        self.numbers = NumberEmbedding([columns[at] for at in numbers], options) if numbers else None

    def forward(self, x_BF: Tensor, mask_BF: Tensor | None = None) -> Tokens:
        """Return the tokens; where `mask_BF` is False the feature is hidden. InputError: another number of columns."""
        if x_BF.shape[-1] != self.features:
            raise InputError(f"the table must have {self.features} columns, got {x_BF.shape[-1]}")
        x_BF = x_BF.float()
        mask_BF = self._drop(x_BF, mask_BF)
        row_BF, is_number_BF = self.look_up(x_BF, mask_BF)
        token_BFD = functional.embedding(row_BF, self.vocabulary)
        if self.numbers is not None:
            embedded_BnD = self.numbers(self._numbers_of(x_BF))
            if not self.all_numbers:
                embedded_BnD = torch.cat([embedded_BnD, token_BFD], dim=1)[:, self.slot_F]
            token_BFD = torch.where(is_number_BF[..., None], embedded_BnD, token_BFD)
        return Tokens(token_BFD, torch.ones_like(x_BF, dtype=torch.bool))

    def look_up(self, x_BF: Tensor, mask_BF: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the row of the vocabulary of each value (B, F), and where it is a plain number instead."""
        code_BF, known_BF = self.codes(x_BF)
        entry_BF = torch.where(known_BF, self.first_F + code_BF, MISSING)
        is_number_BF = (self.categories_F == 0) & ~x_BF.isnan()
        for at in range(self.code_FS.shape[1]):
            special = x_BF == self.code_FS[:, at]
            entry_BF = torch.where(special, CODES + at, entry_BF)
            is_number_BF = is_number_BF & ~special
        if mask_BF is not None:
            entry_BF = torch.where(mask_BF, entry_BF, HIDDEN)
            is_number_BF = is_number_BF & mask_BF
        return self.start_F + entry_BF, is_number_BF

    def codes(self, x_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of the categories (B, F), 0 where there is none, and where there is one."""
        known_BF = (x_BF >= 0) & (x_BF < self.categories_F) & (x_BF == x_BF.floor())
        return torch.where(known_BF, x_BF, 0.0).long(), known_BF

    def standardise(self, x_BF: Tensor) -> Tensor:
        """Return the numbers (B, n) as the embedding sees them; 0 where there is none."""
        if self.numbers is None:
            return x_BF[:, :0]
        return self.numbers.standardise(self._numbers_of(x_BF.float()))

    def _numbers_of(self, x_BF: Tensor) -> Tensor:
        return x_BF if self.all_numbers else x_BF[:, self.where_n]

    def _drop(self, x_BF: Tensor, mask_BF: Tensor | None) -> Tensor | None:
        if not self.training or self.options.drop == 0:
            return mask_BF
        kept = torch.rand_like(x_BF) >= self.options.drop
        return kept if mask_BF is None else kept & mask_BF

    def _keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)


class NumberEmbedding(nn.Module):
    """Embeds (B, n) numbers as (B, n, D), each column with weights of its own, in one batched product."""

    mean_n: Tensor
    spread_n: Tensor

    def __init__(self, columns: list[TableColumn], options: TableOptions) -> None:
        super().__init__()
        self.piecewise = options.numbers == "piecewise"
        self.bins = Bins(columns) if any(column.edges for column in columns) else None
        self.register_buffer("mean_n", torch.tensor([column.mean for column in columns]), persistent=False)
        self.register_buffer("spread_n", torch.tensor([column.spread for column in columns]), persistent=False)
        if self.piecewise:
            inputs = 1 + max(len(column.edges) - 1 for column in columns)
        else:
            inputs = 1 + 2 * options.frequencies
            self.frequency_nK = nn.Parameter(torch.randn(len(columns), options.frequencies) * options.sigma)
        self.weight = nn.Parameter(torch.randn(len(columns), inputs, options.width) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(len(columns), options.width))

    def standardise(self, x_Bn: Tensor) -> Tensor:
        """Return (x - mean) / spread, or the scores of columns that have them; NaN becomes 0."""
        return self._standardise(x_Bn, None if self.bins is None else self.bins(x_Bn))

    def forward(self, x_Bn: Tensor) -> Tensor:
        filled_BnT = None if self.bins is None else self.bins(x_Bn)
        z_Bn1 = self._standardise(x_Bn, filled_BnT)[..., None]
        if self.piecewise and filled_BnT is not None:
            parts = [z_Bn1, filled_BnT]
        else:
            phase = 2 * math.pi * self.frequency_nK * z_Bn1
            parts = [z_Bn1, phase.sin(), phase.cos()]
        # (n, B, inputs) x (n, inputs, D): one product of n small matrices
        mixed = torch.einsum("bni,nid->bnd", torch.cat(parts, dim=-1), self.weight)
        return functional.relu(mixed + self.bias)

    def _standardise(self, x_Bn: Tensor, filled_BnT: Tensor | None) -> Tensor:
        z_Bn = (x_Bn - self.mean_n) / self.spread_n
        if self.bins is not None and filled_BnT is not None:
            z_Bn = torch.where(self.bins.scored_n, self.bins.score(filled_BnT), z_Bn)
        return torch.where(x_Bn.isnan(), 0.0, z_Bn.clamp(-FARTHEST, FARTHEST))


class Bins(nn.Module):
    """How far each bin of a column is filled by a number: 1 below it, a share within, 0 above (B, n, T).

    Columns of fewer bins than the most are filled up with bins that nothing fills.
    """

    left_nT: Tensor
    width_nT: Tensor
    rise_nT: Tensor
    lowest_n: Tensor
    scored_n: Tensor

    def __init__(self, columns: list[TableColumn]) -> None:
        super().__init__()
        most = max(len(column.edges) for column in columns) - 1
        left, width, rise = (torch.zeros(len(columns), most, dtype=torch.float64) for _ in range(3))
        left += NEVER
        width += 1.0
        for at, column in enumerate(columns):
            if column.edges:
                edges = torch.tensor(column.edges, dtype=torch.float64)
                left[at, : len(edges) - 1], width[at, : len(edges) - 1] = edges[:-1], edges.diff()
            if column.scores:
                rise[at, : len(column.scores) - 1] = torch.tensor(column.scores, dtype=torch.float64).diff()
        lowest = [column.scores[0] if column.scores else 0.0 for column in columns]
        for name, value in (("left_nT", left), ("width_nT", width), ("rise_nT", rise)):
            self.register_buffer(name, value.float(), persistent=False)
        self.register_buffer("lowest_n", torch.tensor(lowest), persistent=False)
        self.register_buffer("scored_n", torch.tensor([bool(column.scores) for column in columns]), persistent=False)

    def forward(self, x_Bn: Tensor) -> Tensor:
        x_Bn = torch.where(x_Bn.isnan(), 0.0, x_Bn).clamp(-NEVER / 2, NEVER / 2)
        return ((x_Bn[..., None] - self.left_nT) / self.width_nT).clamp(0.0, 1.0)

    def score(self, filled_BnT: Tensor) -> Tensor:
        """Interpolate between the scores of the edges, (B, n)."""
        return self.lowest_n + (filled_BnT * self.rise_nT).sum(dim=-1)
