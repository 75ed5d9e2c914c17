"""`assay doctor`."""

from typing import Annotated

import typer

from apps.cli.console import emit_json, emit_table
from apps.doctor import Finding, examine
from apps.settings import environment_names, load_settings
from core.errors import InputError

app = typer.Typer(add_completion=False)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False) -> int:
    """Check versions, accelerator, database, broker and disk; say how to mend what is wrong. Exit code 1 if any fails.

    Example: assay doctor
    """
    try:
        findings = examine(load_settings(), environment_names())
    except InputError as error:
        remedy = "set it as said, or unset it"
        findings = [Finding(name="settings", state="fail", detail=str(error), remedy=remedy)]
    if as_json:
        emit_json([vars(finding) for finding in findings])
    else:
        rows = [(f.state, f.name, f.detail, f.remedy) for f in findings]
        emit_table("assay doctor", ("state", "what", "found", "what to do"), rows)
    return 1 if any(finding.state == "fail" for finding in findings) else 0
