"""What a credit model is trained on and what its decisions are to weigh."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import InputError
from pipelines.finance.boosting import Preset
from pipelines.finance.floors import check_names
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.scorecard import Scale
from pipelines.finance.zones import Costs

KIND = "credit"


@dataclass(frozen=True, kw_only=True)
class CreditOptions:
    """What to train on and what decisions are to weigh."""

    target: str  # column of labels; see pipelines.finance.labels for what it may hold
    id_column: str | None = None
    time: str | None = None  # without validation rows: the latest fifth validates
    group: str | None = None  # without validation rows: a fifth of the groups validates; folds keep groups whole
    ignore: tuple[str, ...] = ()  # columns that are no features
    seed: int = 0
    preset: Preset = "fast"  # trees alone; "full": trees and networks of experts, stacked
    name: str = KIND
    cost_missed: float = 5.0  # of a bad case approved
    cost_false: float = 1.0  # of a good case declined
    cost_review: float | None = None  # of one look by a person, in the same unit
    target_rate: float | None = None  # wanted share of declines; overrules the costs
    base_score: float = 600.0
    base_odds: float = 50.0
    points_to_double: float = 20.0
    exit_tolerance: float | None = None  # log loss that early exits may cost; 0: none; None: a fifth of what they skip
    device: str = "auto"  # auto, cpu or cuda: where a network is trained
    resume: Path | None = None  # folder of the run: a run that was cut off goes on there; None: nothing is kept
    network: NetworkOptions = field(default_factory=NetworkOptions)  # of the preset full
    floors: Mapping[str, float] = field(default_factory=dict)  # metric on the validation rows -> least value

    def __post_init__(self) -> None:
        if self.preset not in ("fast", "full"):
            raise InputError(f"the preset is fast or full, got {self.preset!r}")
        if self.network.history and self.preset != "full":
            raise InputError(f"only the preset full reads numbered columns as series; the preset is {self.preset}")
        if self.target_rate is not None and not 0 < self.target_rate < 1:
            raise InputError(f"the target rate is a share of declines between 0 and 1, got {self.target_rate:g}")
        check_names(self.floors, self.own_metrics)
        self.costs, self.scale  # noqa: B018 - both check themselves

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """Metrics besides those of every risk model that a floor may name; higher is better."""
        return ()

    @property
    def costs(self) -> Costs:
        """The costs, checked."""
        return Costs(missed=self.cost_missed, false=self.cost_false, review=self.cost_review)

    @property
    def scale(self) -> Scale:
        """The scale of points, checked."""
        return Scale(base_score=self.base_score, base_odds=self.base_odds, points_to_double=self.points_to_double)
