"""What a training of an inspection model is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.errors import InputError
from pipelines.inspection.augment import Variation

Regime = Literal["auto", "normal", "weak", "mixed", "full"]
REGIMES = ("auto", "normal", "weak", "mixed", "full")


@dataclass(frozen=True, kw_only=True)
class InspectionOptions:
    """Options of `train_inspection`.

    Regimes: `normal` uses defect-free pictures only (drawn defects stand for real ones), `weak` labels without
    locations, `full` only defective pictures whose defect is located, `mixed` all; `auto` is `mixed`.
    """

    boxes_per_class: int | None = None  # locations used of each class; None: all
    regime: Regime = "auto"
    weights: str = "none"  # none, imagenet, a torchvision name, or the path of a MobileNetV1 state dict
    preset: str = "fast"
    size_px: int = 320  # side of the square whose area every picture gets
    seed: int = 0
    cost_missed: float = 5.0  # of a defect that passes
    cost_false: float = 1.0  # of a good part that is rejected
    target_rate: float | None = None  # largest share of good parts that may be flagged; instead of costs
    floors: Mapping[str, float] = field(default_factory=dict)  # validation metrics that must be reached
    resume: Path | None = None  # folder of checkpoints: a killed run goes on from it
    name: str = "inspection"
    device: str = "auto"  # auto, cpu, cuda

    def __post_init__(self) -> None:
        if self.regime not in REGIMES:
            raise InputError(f"regime must be one of {', '.join(REGIMES)}, got {self.regime}")
        if self.preset not in PRESETS:
            raise InputError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset}")
        if not 64 <= self.size_px <= 2048:
            raise InputError(f"size_px must lie in 64..2048, got {self.size_px}")
        if self.cost_missed <= 0 or self.cost_false <= 0:
            raise InputError(f"costs must be positive, got {self.cost_missed}:{self.cost_false}")
        if self.target_rate is not None and not 0 <= self.target_rate <= 1:
            raise InputError(f"target rate must lie in 0..1, got {self.target_rate}")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How long and how a network learns."""

    steps: int
    pictures: int = 16  # of one step
    lr: float = 1e-3
    trunk_lr: float = 0.1  # share of lr for a pretrained trunk
    frozen: int = 3  # first blocks of the given trunk that do not learn
    ema: float = 0.98
    label: float = 0.3  # weight of the loss of the class
    network: Literal["pyramid", "experts"] = "pyramid"
    pretrain_steps: int = 0  # of masked-patch pretraining on all pictures, without their labels
    variation: Variation = field(default_factory=Variation)


PRESETS = {
    "smoke": Preset(steps=60, pictures=8, ema=0.95),  # shows that all parts work; for tests
    # learns one product line from nothing in about a minute; what is drawn has no name, so nothing is drawn
    "demo": Preset(steps=420, lr=8e-3, label=1.0, variation=Variation(draw=0.0)),
    "fast": Preset(steps=450),
    "full": Preset(steps=500, label=1.0, ema=0.99, network="experts", pretrain_steps=100),
}
