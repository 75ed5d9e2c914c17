"""What `assay augment` shows: the trials of a search, and the labels that are likely wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.cli.console import Progress, emit_json, emit_table, note, rounded
from core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.finance.augment.evidence import Found, Trial
    from pipelines.finance.augment.noise import NoiseOptions, NoiseReport

HEADINGS = ("policy", "average precision", "gain", "low", "high", "seeds")
COLUMNS = ("id", "label", "likely", "confidence", "anomaly", "would_drop", "why")


def judge_labels(
    data: Path,
    target: str,
    id_column: str | None,
    where: dict[str, str],
    ignore: Sequence[str],
    options: "NoiseOptions",
    progress: Progress,
) -> "tuple[NoiseReport, list[str]]":
    """The report on the rows of a table that have a label and can be read, and the ids of these rows."""
    import numpy as np  # noqa: PLC0415

    from data.infer import infer_spec  # noqa: PLC0415
    from data.tables import read_table  # noqa: PLC0415
    from pipelines.finance.augment.noise import find_noise  # noqa: PLC0415
    from pipelines.finance.features import extract  # noqa: PLC0415

    chunk = read_table(data, text=[id_column] if id_column else [], where=where)
    frame = chunk.frame
    spec = infer_spec(frame, target=target, id_column=id_column, ignore=[*ignore, *where])
    gated = extract(frame, spec)
    good = frame[target].notna().to_numpy(copy=True)
    good[[*gated.errors, *chunk.errors]] = False
    if not good.any():
        raise InputError(f"{data}: no row has a label in {target!r} and values that can be read")
    labels = frame[target].astype("str").to_numpy(dtype=object)[good].astype(str)
    report = find_noise(gated.values[good], labels, options, progress)
    ids = frame[id_column].astype("str").to_numpy() if id_column else (chunk.rows + 1).astype(str)
    return report, [str(one) for one in np.asarray(ids)[good]]


def suspect_frame(report: "NoiseReport", ids: Sequence[str]) -> "pd.DataFrame":
    """One row a suspect label, the most suspect first."""
    import pandas as pd  # noqa: PLC0415

    rows = [
        (
            ids[row],
            str(report.classes[report.given_B[row]]),
            str(report.classes[report.likely_B[row]]),
            round(float(report.confidence_B[row]), 4),
            round(float(report.anomaly_B[row]), 4),
            bool(report.drop_B[row]),
            report.why(row),
        )
        for row in report.suspects.tolist()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def show_search(found: "Found", run: Path, as_json: bool) -> None:
    if as_json:
        emit_json(found.to_json() | {"run": str(run)})
        return
    emit_table("trials, by gain on validation", HEADINGS, [_cells(one) for one in _sorted(found.trials)])
    emit_table("the best again, on fresh seeds", HEADINGS, [_cells(one) for one in _sorted(found.confirmations)])
    note(f"{found.words}; written to {run / 'policy.json'}")


def _sorted(trials: "tuple[Trial, ...]") -> "list[Trial]":
    return sorted(trials, key=lambda one: -one.gain)


def _cells(one: "Trial") -> tuple[str, ...]:
    mean = sum(one.metrics) / len(one.metrics)
    seeds = ",".join(map(str, one.seeds))
    return (one.policy.name, *(rounded(value) for value in (mean, one.gain, one.low, one.high)), seeds)


def show_noise(report: "NoiseReport", rows: list[dict[str, Any]], as_json: bool) -> None:
    dropped, errors = int(report.drop_B.sum()), int(report.label_error_B.sum())
    if as_json:
        joint = {"classes": [str(name) for name in report.classes], "rows": report.joint_GG.tolist()}
        emit_json({"n": len(report.given_B), "label_errors": errors, "would_drop": dropped, "rule": report.rule,
                   "joint": joint, "rows": rows})  # fmt: skip
        return
    emit_table("most suspect", COLUMNS, [tuple(row[name] for name in COLUMNS) for row in rows])
    judged = f"{errors} of {len(report.given_B)} labels are likely wrong"
    note(f"{judged}; the rule {report.rule!r} would drop {dropped} rows; none was dropped")
