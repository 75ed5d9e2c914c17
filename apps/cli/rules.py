"""`assay rules`: the features that are worked out of statements, and hard rules beside a model of companies."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.console import emit_json, emit_table, note, parse_where
from apps.settings import load_settings
from core.errors import GateError, InputError

if TYPE_CHECKING:
    from core.runtime.engine import Engine
    from pipelines.finance.company_trial import PolicyTrial

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Rules: features of statements, and hard rules.")

Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]
Rules = Annotated[list[Path] | None, typer.Option("--rules", help="a further table of feature rules; again for more")]
Policy = Annotated[Path, typer.Option(help="the table of hard rules to try")]
History = Annotated[Path, typer.Option(help="past cases: a table of statements, with the outcome where it is known")]
Where = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only these rows; again for more")]
MOST_CHANGED = 0.1


@app.command("list")
def list_rules(
    rules: Rules = None,
    group: Annotated[str | None, typer.Option(help="of this group only, such as liquidity")] = None,
    as_json: Json = False,
) -> None:
    """List the features with their formulas, directions and sources.

    Example: assay rules list --group liquidity
    """
    from pipelines.finance.rules.rulebook import load_rules  # noqa: PLC0415  (each command loads only its own)

    book = load_rules(*(rules or []))
    groups = sorted({rule.group for rule in book.rules.values()})
    if group is not None and group not in groups:
        raise InputError(f"no group {group!r} of rules; there is {', '.join(groups)}")
    chosen = [rule for rule in book.rules.values() if group in (None, rule.group)]
    names = ("name", "group", "formula", "unit", "direction", "en", "zh", "source")
    if as_json:
        emit_json(
            {"version": book.version, "rules": [{name: getattr(rule, name) for name in names} for rule in chosen]}
        )
        return
    emit_table(f"{len(chosen)} features", names, [[getattr(rule, name) for name in names] for rule in chosen])


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a table of feature rules, or of hard rules")],
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Check a table of rules before it is used: names, formulas, units, words.

    Example: assay rules check my_rules.csv
    """
    from pipelines.finance.rules.policy import load_policy  # noqa: PLC0415
    from pipelines.finance.rules.rulebook import load_rules  # noqa: PLC0415

    if _is_policy(file):
        policy = load_policy(file, book=load_rules(*(rules or [])))
        kind, version, count = "hard rules", policy.version, len(policy.rules)
    else:
        shipped, book = load_rules(*(rules or [])), load_rules(*(rules or []), file)
        kind, version, count = "feature rules", book.version, len(book.rules) - len(shipped.rules)
    if as_json:
        emit_json({"file": str(file), "kind": kind, "rules": count, "version": version})
        return
    note(f"{file}: {count} {kind}, all in order; version {version}")


@app.command()
def trial(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a company model")],
    policy: Policy,
    data: History,
    where: Where = None,
    rules: Rules = None,
    as_json: Json = False,
) -> None:
    """Say how many past cases hard rules would change, from what to what, by which rule, and how those cases ended.

    Example: assay rules trial firms --policy policy.csv --data history.csv.gz --where split=val
    """
    _, tried = _try(name, policy, data, where, rules)
    _show(tried.to_json(), as_json)


@app.command()
def adopt(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a company model")],
    policy: Policy,
    data: History,
    where: Where = None,
    rules: Rules = None,
    most_changed: Annotated[
        float, typer.Option(min=0, max=1, help="share of past decisions that may change; above it exit code 3")
    ] = MOST_CHANGED,
    as_json: Json = False,
) -> None:
    """Try hard rules on past cases and, if they change no more than allowed, put them beside the model: a new version.

    The version before stays in the registry; assay models rollback NAME goes back to it.

    Example: assay rules adopt firms --policy policy.csv --data history.csv.gz --most-changed 0.05
    """
    from apps.store import models  # noqa: PLC0415
    from apps.store.database import open_database  # noqa: PLC0415
    from core.runtime.bundle import sign_bundle  # noqa: PLC0415
    from core.runtime.signature import local_key  # noqa: PLC0415
    from pipelines.finance.company_trial import with_policy  # noqa: PLC0415

    settings = load_settings()
    engine, tried = _try(name, policy, data, where, rules)
    if not tried.trial.cases:
        raise InputError(f"{data} has no case that the model can judge, so the rules were not tried; give past cases")
    if tried.share > most_changed:
        _show(tried.to_json(), as_json)
        words = f"{tried.share:.1%} of {tried.trial.cases} past decisions would change, {most_changed:.1%} may"
        raise GateError(f"{words}; nothing was adopted: look at assay rules trial, or allow more by --most-changed")
    scratch = Path(tempfile.mkdtemp(prefix="policy-", dir=settings.home))
    try:
        bundle = with_policy(engine, tried, scratch / "bundle")
        sign_bundle(bundle, local_key(settings.home / "keys"))
        base = name.partition("@")[0]
        model = models.register(open_database(settings), settings, bundle.folder, base)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _show(tried.to_json() | {"model": model.name, "model_version": model.version}, as_json)
    note(f"{model.name}@{model.version} is the champion now, with {len(tried.policy.rules)} hard rules beside it")


def _is_policy(file: Path) -> bool:
    """Hard rules have conditions, features formulas."""
    if not file.is_file():
        raise InputError(f"{file} is no file; give a CSV table of rules")
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        return "condition" in lines.readline().split(",")


def _try(
    name: str, policy: Path, data: Path, where: list[str] | None, rules: list[Path] | None
) -> tuple["Engine", "PolicyTrial"]:
    from apps.cases import read_companies  # noqa: PLC0415
    from apps.engines import engine_for  # noqa: PLC0415
    from apps.store import models  # noqa: PLC0415
    from apps.store.database import open_database  # noqa: PLC0415
    from data.tables import open_source  # noqa: PLC0415
    from pipelines.finance.company_trial import try_policy  # noqa: PLC0415

    settings = load_settings()
    model = models.resolve(open_database(settings), name)
    if model.kind != "company":
        raise InputError(
            f"{model.name}@{model.version} is a {model.kind} model; hard rules stand beside company models"
        )
    engine = engine_for(settings, model)
    piece = read_companies(open_source(data), engine.bundle.manifest, where=parse_where(where or []))
    tried = try_policy(piece.frame, engine, policy, rules=rules or [], row_errors=piece.errors)
    return engine, tried


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json(found)
        return
    rows = [(f"{move['from']} -> {move['to']}", *_cells(move)) for move in found["moves"]]
    rows += [("changed", *_cells(found["changed"])), ("unchanged", *_cells(found["unchanged"]))]
    emit_table(f"{found['cases']} past cases", ("decision", "cases", "outcome known", "bad among them"), rows)
    by_rule = [(rule, *_cells(group)) for rule, group in found["by_rule"].items()]
    if by_rule:
        emit_table("by rule", ("rule", "cases changed", "outcome known", "bad among them"), by_rule)
    if found["not_evaluated"]:
        note("not evaluated: " + ", ".join(f"{rule} in {n} cases" for rule, n in found["not_evaluated"].items()))


def _cells(group: dict[str, Any]) -> tuple[str, str, str]:
    rate = group["bad_rate"]
    return str(group["cases"]), str(group["labelled"]), "" if rate is None else f"{rate:.1%}"
