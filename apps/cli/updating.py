"""What the commands of `assay train` share about --update: its options, the updated model, the reference rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.console import parse_where
from apps.cli.training import costs_of
from apps.engines import engine_for
from apps.references import reference_path
from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database
from core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.finance.reference import Reference
    from pipelines.finance.update import Base

Update = Annotated[
    str | None, typer.Option(help="NAME or NAME@VERSION: let this model learn on; kept only if it forgot little")
]
ReferenceFile = Annotated[
    Path | None,
    typer.Option("--reference", help="labelled rows of the old kind; default: those that its training set aside"),
]
ReferenceWhere = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE for the reference rows")]
ForgetLimit = Annotated[
    float | None, typer.Option(help="share of what was known about the reference rows that may be lost; default .05")
]
NoReference = Annotated[
    bool, typer.Option("--no-reference", help="set no validation rows aside in the home for later updates")
]


Reading = Callable[["Base", Path, dict[str, str]], "pd.DataFrame"]


@dataclass(frozen=True)
class Learning:
    """A model that is to learn on, and what it must not forget."""

    base: "Base"
    reference: "Reference"


@dataclass(frozen=True)
class Asked:
    """What the command line says of an update."""

    update: str | None
    file: Path | None
    where: list[str] | None
    limit: float | None

    def name(self, name: str | None, default: str) -> str:
        """What the model will be called: as asked, or as the updated one, or as its kind."""
        if name is not None:
            return name
        return self.update.partition("@")[0] if self.update else default

    def find(self, settings: Settings, kind: str, read: "Reading | None" = None) -> Learning | None:
        """Open the model and read the reference rows; None without --update. InputError, NotFoundError: see there.

        `read` makes a frame of the model's columns out of --reference; None: the file has them.
        """
        if self.update is None:
            if self.file is not None or self.where or self.limit is not None:
                raise InputError(
                    "--reference, --reference-where and --forget-limit say what an update may forget; "
                    "name the model with --update, or leave them out"
                )
            return None
        from pipelines.finance.update import Base  # noqa: PLC0415  (pandas, only when it is needed)

        model = models.resolve(open_database(settings), self.update)
        base = Base(engine=engine_for(settings, model), kind=kind, name=model.name, version=model.version)
        return Learning(base, self._reference(settings, base, read))

    def _reference(self, settings: Settings, base: "Base", read: "Reading | None") -> "Reference":
        from pipelines.finance.forgetting import LIMIT  # noqa: PLC0415  (pandas, only when it is needed)
        from pipelines.finance.reference import Reference, read_reference  # noqa: PLC0415

        limit, home = LIMIT if self.limit is None else self.limit, reference_path(settings, base.name, base.version)
        kept = read_reference(home, base.spec) if home.is_file() else None
        if self.file is not None:
            chosen = parse_where(self.where or [])
            source = f"{self.file}" + "".join(f" {column}={value}" for column, value in chosen.items())
            frame = read(base, self.file, chosen) if read else read_reference(self.file, base.spec, chosen)
            return Reference(frame=frame, source=source, limit=limit, kept=kept)
        if self.where:
            raise InputError("--reference-where chooses rows of --reference, which is not given")
        if kept is None:
            raise InputError(
                f"there are no reference rows of {base.words} ({home} is not there), so nobody could tell whether it "
                "forgot; give labelled rows of the kind it was trained on by --reference FILE",
                code="NO_REFERENCE",
            )
        return Reference(frame=kept, source="rows that its trainings set aside", limit=limit, kept=kept)


@dataclass(frozen=True)
class Decision:
    """What decisions are to weigh: costs, or the wanted share of declines."""

    missed: float
    false: float
    target_rate: float | None


def decision_of(
    cost: str | None, target_rate: float | None, learning: Learning | None, usual: tuple[float, float]
) -> Decision:
    """As asked; an update that is told nothing weighs as the updated model did; else the usual costs."""
    if learning is not None and cost is None and target_rate is None:
        before = learning.base.about
        return Decision(before["costs"]["missed"], before["costs"]["false"], before["target_rate"])
    missed, false = costs_of(cost, target_rate, *usual)
    return Decision(missed, false, target_rate)
