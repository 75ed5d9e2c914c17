"""What is done with a chunk of each kind. Everything that may crash or hang happens in here."""

from collections.abc import Callable
from dataclasses import dataclass

from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.tables import Model


@dataclass(frozen=True, kw_only=True)
class Work:
    """A claimed chunk and what it needs: the model that its job is pinned to, and the settings of this process."""

    claim: Claim
    model: Model
    settings: Settings


Body = Callable[[Work], Outcome]


def score_chunk(work: Work) -> Outcome:
    """Score the rows of a piece."""
    from apps.worker.scoring import score_piece  # noqa: PLC0415  (a pool process loads only what it is asked to do)

    return score_piece(work.settings, work.model, work.claim)


def inspect_chunk(work: Work) -> Outcome:
    """Judge pictures by path."""
    from apps.worker.inspecting import inspect_pictures  # noqa: PLC0415  (as above)

    return inspect_pictures(work.settings, work.model, work.claim)


CHUNK_BODIES: dict[str, Body] = {"score": score_chunk, "assess": score_chunk, "inspect": inspect_chunk}
