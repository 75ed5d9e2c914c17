"""`assay up`, `serve`, `worker`, `schedule`, `dashboard`: the parts of a deployment."""

import os
from typing import Annotated

import typer

from apps.settings import load_settings

app = typer.Typer(add_completion=False)

Host = Annotated[str, typer.Option(help="address to listen on")]
GatewayPort = Annotated[int, typer.Option("--port", min=1, max=65535, help="port of the gateway")]
DashboardPort = Annotated[int, typer.Option("--dashboard-port", min=1, max=65535, help="port of the dashboards")]
Concurrency = Annotated[int, typer.Option(min=1, help="processes of the worker")]


@app.command()
def up(
    host: Host = "127.0.0.1",
    port: GatewayPort = 8000,
    dashboard_port: DashboardPort = 8501,
    concurrency: Concurrency = 2,
) -> None:
    """Start gateway, worker, schedule and dashboards together; Ctrl-C stops all of them.

    Example: assay up --port 8000 --dashboard-port 8501
    """
    from apps.supervise import up as supervise  # noqa: PLC0415  (each service loads only its own part)

    supervise(load_settings(), host=host, gateway_port=port, dashboard_port=dashboard_port, concurrency=concurrency)


@app.command()
def serve(host: Host = "127.0.0.1", port: GatewayPort = 8000) -> None:
    """Serve the HTTP gateway.

    Example: assay serve --host 127.0.0.1 --port 8000
    """
    from apps.gateway.serve import serve as serve_gateway  # noqa: PLC0415

    serve_gateway(load_settings(), host, port)


@app.command()
def worker(concurrency: Concurrency = 2) -> None:
    """Do batch jobs and pictures that come by the broker.

    Example: ASSAY_BROKER_URL=redis://localhost:6379/0 assay worker --concurrency 4
    """
    from apps.worker.run import run_worker  # noqa: PLC0415

    run_worker(load_settings(), concurrency)


@app.command()
def schedule() -> None:
    """Start due jobs and put back work whose worker died.

    Example: assay schedule
    """
    from apps.worker.schedule import run_schedule  # noqa: PLC0415

    run_schedule(load_settings())


@app.command()
def dashboard(
    host: Host = "127.0.0.1", port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8501
) -> None:
    """Show the dashboards in a browser.

    Example: assay dashboard --port 8501
    """
    from apps.supervise import dashboard_command, require_free_port  # noqa: PLC0415

    require_free_port(host, port, option="--port")
    command = dashboard_command(host, port)
    os.execv(command[0], command)  # signals then reach Streamlit itself
