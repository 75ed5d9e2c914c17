"""The model registry: versions side by side with intervals, and what each bundle says of itself."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import streamlit as st

from core.errors import AssayError
from core.runtime.bundle import Bundle
from dashboards import address, charts, frame, plain, reads
from dashboards.marks import signed
from dashboards.reads import EvaluationLine, ModelLine
from dashboards.words import Words, utc

MAIN_METRIC: Final = {
    "credit": "auc",
    "company": "auc",
    "fraud": "average_precision",
    "inspection": "image_auroc",
    "volatility": "qlike",
}


def show() -> None:
    words = frame.words()
    st.caption(words("models_caption"))
    models = reads.models()
    if not models:
        train = "assay train credit --data loans.csv --target defaulted --id loan_id --name loans"
        frame.empty(words("no_models"), "assay demo", train, words=words)
        return
    evaluations = reads.evaluations()
    st.dataframe(_table(models, evaluations, words), hide_index=True, height=min(38 + 35 * len(models), 320))
    names = frame.model_names(models, words)
    place = st.columns([2, 3])[0]
    first = next((model for model in models if model.state == "champion"), models[0]).label
    label = address.choice(place, "model", words("model"), list(names), first, lambda key: names[key])
    model = next(model for model in models if model.label == label)
    left, right = st.columns(2, gap="large")
    with left:
        _metrics(model, evaluations, words)
        _versions(model, models, evaluations, words)
    with right:
        _facts(model, words)


def _table(models: list[ModelLine], evaluations: list[EvaluationLine], words: Words) -> pd.DataFrame:
    newest = {one.model_id: one for one in reversed(evaluations)}

    def main(model: ModelLine) -> str:
        name = MAIN_METRIC.get(model.kind, "")
        told = (newest[model.id].metrics if model.id in newest else _of_training(model)).get(name)
        value, low, high = _interval(told)
        if value is None:
            return "–"
        around = "" if low is None or high is None else f"  [{low:.3f}, {high:.3f}]"
        return f"{words.known(name)} {value:.3f}{around}"

    return pd.DataFrame(
        {
            words("model"): [model.label for model in models],
            words("state"): [signed(model.state, words) for model in models],
            words("kind"): [words.known(f"kind_{model.kind}") for model in models],
            words("main_metric"): [main(model) for model in models],
            words("data"): [newest[model.id].data if model.id in newest else "–" for model in models],
            words("created"): [utc(model.created_at) for model in models],
        }
    )


def _of_training(model: ModelLine) -> Mapping[str, Any]:
    """The metrics that training left in the bundle, on the rows that validated."""
    validation = model.metrics.get("validation", model.metrics)
    return validation if isinstance(validation, Mapping) else {}


def _interval(told: Any) -> tuple[float | None, float | None, float | None]:
    if isinstance(told, Mapping):
        return told.get("value"), told.get("low"), told.get("high")
    return (float(told), None, None) if isinstance(told, int | float) else (None, None, None)


def _metrics(model: ModelLine, evaluations: list[EvaluationLine], words: Words) -> None:
    """All metrics of the newest evaluation, else those from training."""
    evaluation = next((one for one in evaluations if one.model_id == model.id), None)
    st.subheader(words("metrics_title", model=plain.markdown(model.label)), anchor=False)
    metrics = _of_training(model) if evaluation is None else evaluation.metrics
    rows = [(words.known(name), *_interval(told)) for name, told in metrics.items() if _interval(told)[0] is not None]
    if not rows:
        frame.empty(words("none_yet"), f"assay evaluate {model.label} --data labelled.csv", words=words)
        return
    origin = words("training_metrics")
    if evaluation is not None:
        origin = words("evaluated_on", data=plain.markdown(evaluation.data), time=utc(evaluation.created_at))
    st.caption(origin)
    columns = [words("metric"), words("value"), words("low"), words("high")]
    told = [[name, *(_figure(value) for value in values)] for name, *values in rows]
    st.dataframe(pd.DataFrame(told, columns=columns), hide_index=True, height=min(38 + 35 * len(rows), 460))


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.4f}"


def _versions(model: ModelLine, models: list[ModelLine], evaluations: list[EvaluationLine], words: Words) -> None:
    """The main metric of all versions on the file that this one was last evaluated on."""
    data = next((one.data for one in evaluations if one.model_id == model.id), None)
    name = MAIN_METRIC.get(model.kind, "")
    rows = []
    for version in (one for one in models if one.name == model.name):
        told = next(
            (one.metrics.get(name) for one in evaluations if one.model_id == version.id and one.data == data), None
        )
        value, low, high = _interval(told)
        if value is not None:
            rows.append((version.label, value, value if low is None else low, value if high is None else high))
    if len(rows) > 1 and data is not None:
        title = f"{words.known(name)} · " + words("versions_title", name=model.name, data=plain.figure(data, 40))
        st.plotly_chart(charts.intervals(sorted(rows), title), config=charts.CONFIG, alt=title)


def _facts(model: ModelLine, words: Words) -> None:
    st.subheader(words("facts"), anchor=False)
    try:
        bundle = reads.bundle(model)
    except AssayError as error:
        frame.failed(words("bundle_bad", error=str(error)))
        return
    st.caption(f":material/verified: {words('bundle_good')}")
    facts = {words("folder"): model.folder, words("manifest"): model.manifest_sha256}
    facts |= _of_company(bundle.manifest.about.get("company"), words)
    facts |= {words.known(name): _told(value) for name, value in bundle.manifest.about.items() if name != "company"}
    _pairs(facts, words)
    if bundle.manifest.decision:
        st.markdown(f"**{words('decision_rule')}**")
        rule = bundle.manifest.decision
        sentences = [str(rule[name]) for name in ("rule", "why") if name in rule]
        _pairs({words.known(name): _told(rule[name]) for name in rule if name not in ("rule", "why")}, words)
        st.caption(plain.markdown(" ".join(sentences)))
    _files(bundle, words)
    _features(bundle, words)


def _of_company(plan: Any, words: Words) -> dict[str, str]:
    """How a company model reads a table, in a few lines: its rules alone would fill pages."""
    if not isinstance(plan, Mapping):
        return {}
    policy = plan.get("policy") or {}
    rules = [str(rule["name"]) for rule in policy.get("rules", [])]
    told = {
        "company_column": plan.get("company"),
        "period_column": plan.get("period"),
        "cases_are": words.known(f"cases_{plan.get('cases')}"),
        "unit": f"{plan.get('unit', 1):,.10g} {plan.get('currency') or ''}".strip(),
        "figures_read": len(plan.get("figures", ())),
        "hard_rules_held": f"{len(rules)}: {', '.join(rules)}" if rules else None,
    }
    return {words(name): str(value or "–") for name, value in told.items()}


def _pairs(facts: Mapping[str, str], words: Words) -> None:
    table = pd.DataFrame({words("fact"): list(facts), words("value"): list(facts.values())})
    st.dataframe(table, hide_index=True, height=min(38 + 35 * len(facts), 320))


def _told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        more = f", … ({len(value)})" if len(value) > 12 else ""
        return ", ".join(_told(one) for one in value[:12]) + more
    return str(value)


def _files(bundle: Bundle, words: Words) -> None:
    entries = bundle.manifest.files
    with st.expander(f"{words('files')} ({len(entries)})"):
        table = {
            words("file"): list(entries),
            words("bytes"): [f"{entry.bytes:,}" for entry in entries.values()],
            "SHA-256": [entry.sha256 for entry in entries.values()],
        }
        st.dataframe(pd.DataFrame(table), hide_index=True)


def _features(bundle: Bundle, words: Words) -> None:
    """The columns that a table model asks for; nothing for models of pictures."""
    columns = bundle.manifest.spec.get("columns")
    if not isinstance(columns, list) or not columns:
        return
    with st.expander(f"{words('features')} ({len(columns)})"):
        meaning = "words_zh" if words.language == "zh" else "words_en"
        table = {
            words("feature"): [str(column.get("name", "")) for column in columns],
            words("words_column"): [str(column.get(meaning) or "") for column in columns],
            words("range"): [_range(column) for column in columns],
            words("missing_rate"): [plain.percent(column.get("missing_rate")) for column in columns],
        }
        st.dataframe(pd.DataFrame(table), hide_index=True)


def _range(column: Mapping[str, Any]) -> str:
    if column.get("categories"):
        return _told(column["categories"])
    low, high = column.get("soft_low"), column.get("soft_high")
    return "–" if low is None or high is None else f"{low:,.6g} – {high:,.6g}"


if __name__ == "__main__":
    show()
