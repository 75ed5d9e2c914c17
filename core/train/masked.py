"""Masked-feature pretraining: hide features of rows that need no label, and learn to tell them from the rest.

In the spirit of masked language models (Devlin et al. 2019, arXiv 1810.04805), on tables as in SAINT (Somepalli et al.
2021, arXiv 2106.01342) and TapTap: numbers by the Huber loss of their standardised value, categories by cross-entropy.
What was learned are the weights of the model itself; the heads of this file are thrown away.

Legend: B batch, F features, n numbers, c categories among them, V most categories of a column, R members, D width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.blocks import RMSNorm
from core.encoders.table import TableEncoder
from core.errors import InputError
from core.model import AssayModel
from core.train.options import Losses


class MaskedFeatures(nn.Module):
    """A model over a table, with heads that tell hidden features from its answer tokens. Train on `losses`."""

    where_c: Tensor
    possible_cV: Tensor

    def __init__(self, model: AssayModel, *, share: float = 0.3) -> None:
        """Hide `share` of the features, each by its own chance. InputError: the model has no table."""
        super().__init__()
        if "table" not in model.encoders:
            raise InputError(f"the model must have an encoder of a table, got {', '.join(model.encoders)}")
        if not 0 < share < 1:
            raise InputError(f"share must lie between 0 and 1, got {share}")
        encoder = model.encoders["table"]
        assert isinstance(encoder, TableEncoder)
        self.model, self.share = model, share
        width, counts = model.options.trunk.width, encoder.categories_F
        where_c = (counts > 0).nonzero()[:, 0]
        most = int(counts.max())
        self.register_buffer("where_c", where_c, persistent=False)
        self.register_buffer("possible_cV", torch.arange(most) < counts[where_c][:, None], persistent=False)
        self.norm = RMSNorm(width)
        self.number_Dn = nn.Parameter(torch.randn(width, len(encoder.where_n)) / math.sqrt(width))
        self.category_DW = nn.Parameter(torch.randn(width, len(where_c) * most) / math.sqrt(width))  # W = c * V

    @property
    def encoder(self) -> TableEncoder:
        """The model's own; no second name among the weights, which checkpoints would keep twice."""
        encoder = self.model.encoders["table"]
        assert isinstance(encoder, TableEncoder)
        return encoder

    def losses(self, x_BF: Tensor, shown_BF: Tensor | None = None) -> Losses:
        """Return the mean loss a hidden feature; `shown_BF` says which to show (default: by chance)."""
        x_BF = x_BF.float()
        if shown_BF is None:
            shown_BF = torch.rand_like(x_BF) >= self.share
        outputs = self.model({"table": x_BF}, {"table": shown_BF})
        answer_BRD = self.norm(outputs.tokens.x_BTD[:, : self.model.options.members]).float()
        number, numbers = self._number_loss(answer_BRD, x_BF, shown_BF)
        category, categories = self._category_loss(answer_BRD, x_BF, shown_BF)
        fit = (number + category) / (numbers + categories).clamp_min(1)
        parts = {"number": number / numbers.clamp_min(1), "category": category / categories.clamp_min(1)}
        return Losses(total=fit + outputs.loss, parts=parts)

    def _number_loss(self, answer_BRD: Tensor, x_BF: Tensor, shown_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over hidden numbers of the members' mean Huber loss, and how many there are."""
        _, is_number_BF = self.encoder.look_up(x_BF)
        wanted_Bn = (is_number_BF & ~shown_BF)[:, self.encoder.where_n]
        z_BRn = self.encoder.standardise(x_BF)[:, None].expand(-1, answer_BRD.shape[1], -1)
        loss_Bn = functional.huber_loss(answer_BRD @ self.number_Dn, z_BRn, reduction="none").mean(dim=1)
        return torch.where(wanted_Bn, loss_Bn, 0.0).sum(), wanted_Bn.sum()

    def _category_loss(self, answer_BRD: Tensor, x_BF: Tensor, shown_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum over hidden categories of the members' mean cross-entropy, and how many there are."""
        code_BF, known_BF = self.encoder.codes(x_BF)
        special_BF = (x_BF[..., None] == self.encoder.code_FS).any(dim=-1)
        wanted_Bc = (known_BF & ~special_BF & ~shown_BF)[:, self.where_c]
        logit_BRcV = (answer_BRD @ self.category_DW).reshape(*answer_BRD.shape[:2], *self.possible_cV.shape)
        log_p_BRcV = logit_BRcV.masked_fill(~self.possible_cV, -torch.inf).log_softmax(dim=-1)
        code_BRc1 = code_BF[:, None, self.where_c, None].expand(-1, answer_BRD.shape[1], -1, -1)
        loss_Bc = -log_p_BRcV.gather(-1, code_BRc1)[..., 0].mean(dim=1) if len(self.where_c) else wanted_Bc.float()
        return torch.where(wanted_Bc, loss_Bc, 0.0).sum(), wanted_Bc.sum()
