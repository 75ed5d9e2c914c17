"""The model document: one self-contained HTML page that says what a model is, how good it is and how it decides."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from apps.store.tables import Evaluation, Model
from core.runtime.attribute import EXACT, MASKED, attribution
from core.runtime.manifest import Manifest

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.2rem;border-bottom:1px solid #d0d7de}p.under{color:#57606a;margin-top:.2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #eaeef2}
td.n{text-align:right;font-variant-numeric:tabular-nums}.charts{display:flex;flex-wrap:wrap;gap:2rem}
figure{margin:0}figcaption{color:#57606a;font-size:13px}svg{background:#f6f8fa}
"""
REASONS = {
    EXACT: "Reasons name the features that moved a case most, by exact contributions to its log-odds "
    "(SHAP values of the trees).",
    MASKED: "Reasons name the features that moved a case most, by contributions to its log-odds. The share of the "
    "trees is exact (SHAP values); that of the network is estimated by hiding values from it: the mean of what a "
    "feature adds when it is shown alone and when it is shown last, scaled so that all contributions add up. Cases "
    "that the trees decided alone are explained exactly.",
}
SIDE = 260  # of a chart, in CSS pixels


def model_card(model: Model, manifest: Manifest, evaluation: Evaluation | None) -> str:
    """Return the page. Without an evaluation it shows the validation metrics that the bundle keeps."""
    title = f"{model.name}, version {model.version}"
    metrics = evaluation.metrics if evaluation is not None else manifest.metrics.get("validation", {})
    source = f"on {evaluation.data}" if evaluation is not None else "on the validation rows of the training"
    made = f"made {model.created_at:%Y-%m-%d %H:%M} UTC"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='under'>{model.kind} model, {model.state}, {made}, manifest {model.manifest_sha256[:12]}</p>",
        f"<h2>How good it is, {escape(source)}</h2>",
        metric_table(metrics),
        charts(evaluation.curves) if evaluation is not None else "",
        exit_table(metrics.get("exits", {})) if evaluation is not None else "",
        "<h2>How it decides</h2>",
        facts(manifest.decision),
        reasons(manifest),
        update(manifest),
        "<h2>What it was made from</h2>",
        facts(manifest.about),
        features(manifest.spec),
    ]
    return page(title, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole HTML page; `parts` are HTML, `title` is text."""
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
    body = "".join(parts)
    return f"<!doctype html><html lang='en'><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>\n"


def metric_table(metrics: Mapping[str, Any]) -> str:
    """Return metrics with their intervals; what is missing says why. Nested entries are left to their own tables."""
    return table(("metric", "value", "95 % interval"), metric_cells(metrics))


def metric_cells(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and interval of each metric, or why it is missing; entries of other forms are left out.

    >>> metric_cells({"auc": {"value": 0.8, "low": 0.7, "high": 0.9}, "f1": {"value": None, "missing": "one class"}})
    [('auc', '0.8000', '0.7000 to 0.9000'), ('f1', '', 'one class')]
    """
    cells = []
    for name, metric in metrics.items():
        if isinstance(metric, Mapping) and "value" in metric:
            if metric["value"] is None:
                cells.append((name, "", str(metric.get("missing", ""))))
            else:
                exact = metric.get("low") is None or metric["low"] == metric["high"] == metric["value"]
                interval = "" if exact else f"{metric['low']:.4f} to {metric['high']:.4f}"
                whole = exact and float(metric["value"]).is_integer()
                cells.append((name, f"{metric['value']:.0f}" if whole else f"{metric['value']:.4f}", interval))
        elif isinstance(metric, int | float) and not isinstance(metric, bool):
            cells.append((name, f"{metric:g}", ""))
    return cells


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table of text cells."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def facts(entries: Mapping[str, Any]) -> str:
    """Return the plain entries of a JSON object as a table; long or nested ones are shortened."""
    rows = [(str(name).replace("_", " "), _short(value)) for name, value in entries.items()]
    return table(("what", "value"), rows)


def features(spec: Mapping[str, Any]) -> str:
    """Return the table of features of a credit model; nothing for a model without one."""
    columns = spec.get("columns")
    if not columns:
        return ""
    rows = [
        (str(c["name"]), str(c.get("words_en", "")), str(c["kind"]), f"{c.get('missing_rate', 0):.1%}") for c in columns
    ]
    return "<h2>Features</h2>" + table(("column", "words", "kind", "missing in training"), rows)


def exit_table(exits: Mapping[str, Any]) -> str:
    """Return the stages of a cascade with the rows that left there, and what that saved and cost."""
    if not exits:
        return ""
    cells, header = exit_cells(exits), ("stage", "rows that left", "share", "operations a row")
    return "<h2>Where rows leave</h2>" + table(header, cells) + f"<p>{escape(exit_words(exits))}</p>"


def exit_cells(exits: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name of the stage, rows that left there, their share, operations of the stage."""
    return [
        (f"{number} {stage['part']}", str(stage["rows"]), f"{stage['share']:.1%}", f"{stage['operations']:,.0f}")
        for number, stage in enumerate(exits["stages"])
    ]


def exit_words(exits: Mapping[str, Any]) -> str:
    """Say what early exits saved and cost against every row going to the last stage."""
    a, b = exits["with_exits"], exits["without"]
    ranks = "" if a["auc"] is None else f"AUC {a['auc']:.4f} against {b['auc']:.4f}, "
    lost = f"{ranks}log loss {a['log_loss']:.4f} against {b['log_loss']:.4f}"
    changed = f"{exits['decisions_changed']} decisions changed"
    return f"early exits saved {exits['operations']['saved']:.1%} of the operations; {lost}; {changed}"


def reasons(manifest: Manifest) -> str:
    """Return the paragraph that says how reasons were found; nothing for a model that gives none."""
    words = REASONS.get(attribution(manifest))
    return f"<p>{escape(words)}</p>" if words else ""


def update(manifest: Manifest) -> str:
    """Return the paragraph about the update that this version is; nothing for a model that was trained anew."""
    found = manifest.about.get("update")
    return f"<p>{escape(update_words(found))}.</p>" if found else ""


def update_words(update: Mapping[str, Any]) -> str:
    """Say what an update (the entry of `about`) gained on new rows and forgot on the reference rows.

    >>> side = {"auc": 0.75, "log_loss": 0.4, "log_loss_at_rate": 0.4}
    >>> new, base = {"rows": 90, "before": side, "after": side}, {"name": "loans", "version": 1}
    >>> old = new | {"forgotten": {"value": 0.0, "low": -0.01, "high": 0.01}, "allowed": 0.05}
    >>> update_words({"base": base, "validation": new, "reference": old}).split(":")[0]
    'It learned on from loans@1'
    """
    base, new, old = update["base"], update["validation"], update["reference"]
    forgot = old["forgotten"]
    share = f"{forgot['value']:.1%} ({forgot['low']:.1%} to {forgot['high']:.1%}, allowed {old['allowed']:.1%})"
    return (
        f"It learned on from {base['name']}@{base['version']}: on {new['rows']} new validation rows "
        f"{_sides(new, 'log_loss')}; on {old['rows']} reference rows, at their base rate, "
        f"{_sides(old, 'log_loss_at_rate')}: of what was known about them {share} was forgotten"
    )


def _sides(found: Mapping[str, Any], loss: str) -> str:
    a, b = found["before"], found["after"]
    return f"log loss {a[loss]:.4f} before, {b[loss]:.4f} after (AUC {a['auc']:.4f}, {b['auc']:.4f})"


def charts(curves: Mapping[str, Any]) -> str:
    """Return the curves of an evaluation as drawings: ROC and calibration, or escape against overkill."""
    drawn = []
    if "roc" in curves:
        caption = "ROC: share of bad cases found (up) against good cases declined (right)"
        drawn.append(line_chart(_points(curves["roc"], "fpr", "tpr"), caption, diagonal=True))
    if "calibration" in curves:
        caption = "Calibration: bad cases seen (up) against predicted (right)"
        points = _points(curves["calibration"], "predicted", "observed")
        drawn.append(line_chart(points, caption, diagonal=True, dots=True))
    if "escape_overkill" in curves:
        caption = "Overkill (up) against escapes (right), one point a threshold"
        drawn.append(line_chart(_points(curves["escape_overkill"], "escape", "overkill"), caption))
    return f"<div class='charts'>{''.join(drawn)}</div>"


def line_chart(
    points: Sequence[tuple[float, float]], caption: str, *, diagonal: bool = False, dots: bool = False
) -> str:
    """Draw a line through (x, y) as SVG, on axes from 0 to 1, or to the largest value where all are small."""
    top = max((value for point in points for value in point), default=1.0) or 1.0
    top = 1.0 if top > 0.5 else top * 1.1
    places = [(SIDE * x / top, SIDE * (1 - y / top)) for x, y in points]
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    parts = [f"<polyline points='{line}' fill='none' stroke='#0969da' stroke-width='2'/>"]
    if diagonal:
        parts.insert(0, f"<line x1='0' y1='{SIDE}' x2='{SIDE}' y2='0' stroke='#8c959f' stroke-dasharray='4'/>")
    if dots:
        parts += [f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3' fill='#0969da'/>" for a, b in places]
    svg = f"<svg width='{SIDE}' height='{SIDE}' role='img' aria-label='{escape(caption)}'>{''.join(parts)}</svg>"
    return f"<figure>{svg}<figcaption>{escape(caption)}<br>axes 0 to {top:.3g}</figcaption></figure>"


def _points(curve: Mapping[str, Sequence[float]], x: str, y: str) -> list[tuple[float, float]]:
    return list(zip(curve[x], curve[y], strict=True))


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 160 else text[:157] + "..."
