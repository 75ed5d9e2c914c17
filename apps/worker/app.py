"""The Celery application: which broker, which queues, and the settings without which work is lost or done twice.

What a message says is only a hint that a chunk can be claimed; the truth is in the database. So messages may be lost
or doubled, results are not kept by Celery, and nothing but ids travels.
"""

import importlib.util
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.utils.url import maybe_sanitize_url
from sqlalchemy import select

from apps.settings import Settings
from apps.store.database import database_url, open_database, reading
from apps.store.tables import Installation
from core.errors import AssayError

HARD_LIMIT_S = 600  # a chunk that takes longer is hung: its process is killed
SOFT_PART = 0.9  # of the hard limit: then Python code is interrupted, and gives its chunk back itself
CHUNK_TASKS = {"score": "finance.score_chunk", "assess": "finance.assess", "inspect": "inspection.inspect"}
BATCH_TASKS = {"score": "finance.score_batch", "assess": "finance.score_batch", "inspect": "inspection.inspect_batch"}
STREAM_TASK = "finance.stream"  # transactions, one a message; in the queue of single assessments
BROKERS = ("redis", "rediss", "amqp", "amqps", "pyamqp")

_apps: dict[tuple[int, str, str], Celery] = {}
_lock = threading.Lock()


def create_celery(settings: Settings) -> Celery:
    """Return the application for the settings' broker and database, without tasks: enough to send hints."""
    db = open_database(settings)
    with reading(db) as session:
        token = session.scalars(select(Installation.token)).one()
    url, transport, options = _broker(settings)
    app = Celery("assay", broker=url, set_as_current=False)
    app.conf.update(_CONF)
    app.conf.broker_transport, app.conf.broker_transport_options = transport, options
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 5} if url.startswith(("amqp", "pyamqp")) else None
    app.conf.task_queues = [_queue(token, kind, arguments) for kind in CHUNK_TASKS]
    app.conf.task_default_queue = queue_name(token, "score")
    routes = [(task, kind) for tasks in (BATCH_TASKS, CHUNK_TASKS) for kind, task in tasks.items()]
    app.conf.task_routes = {task: {"queue": queue_name(token, kind)} for task, kind in routes}
    app.conf.task_routes[STREAM_TASK] = {"queue": queue_name(token, "assess")}
    return app


def sender(settings: Settings) -> Celery:
    """Return an application to send hints with; one a process, broker and database."""
    url = database_url(settings).render_as_string(hide_password=False)
    key = os.getpid(), url, _broker(settings)[0]  # by process: a forked child must not use its parent's sockets
    with _lock:
        if key not in _apps:
            _apps[key] = create_celery(settings)
        return _apps[key]


def require_broker(app: Celery) -> None:
    """Raise AssayError, one line, when the broker does not answer within a few seconds."""
    connection = app.connection_for_write()
    try:
        connection.ensure_connection(max_retries=1, interval_start=0.2, interval_step=0, timeout=4)
    except (OperationalError, OSError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        where = f"the broker {maybe_sanitize_url(app.conf.broker_url)}"
        raise AssayError(
            f"{where} does not answer: {words}; start it, or set ASSAY_BROKER_URL", code="BROKER"
        ) from error
    finally:
        connection.release()


def queue_name(token: str, kind: str) -> str:
    """Return the name of the queue for one kind of work of one installation."""
    return f"assay.{token}.{kind}"


def _queue(token: str, kind: str, arguments: dict[str, Any] | None) -> Queue:
    name = queue_name(token, kind)  # the nameless exchange delivers by queue name on every broker
    return Queue(name, Exchange(""), routing_key=name, durable=True, queue_arguments=arguments)  # type: ignore[no-untyped-call]


def _secret(settings: Settings) -> str:
    return "" if settings.broker_url is None else settings.broker_url.get_secret_value()


def _broker(settings: Settings) -> tuple[str, str | None, dict[str, Any]]:
    """Return the broker's URL, the transport (None: kombu's own for that URL) and its options."""
    if settings.broker_url is None:
        folder = settings.home.resolve() / "broker"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise AssayError(f"cannot make the folder {folder}: {error.strerror}; set ASSAY_HOME to another") from error
        options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder)}
        return "filesystem://localhost", "apps.worker.files:Transport", options
    url = _secret(settings)
    scheme = urlsplit(url).scheme
    if scheme not in BROKERS:
        allowed = ", ".join(BROKERS)
        raise AssayError(
            f"ASSAY_BROKER_URL begins with {scheme!r}; allowed are {allowed}, or none for the embedded one"
        )
    if scheme.startswith("redis"):
        if importlib.util.find_spec("redis") is None:
            raise AssayError("no driver for Redis: pip install 'assay[redis]'")
        return url, "apps.worker.redis_broker:Transport", dict(_REDIS)
    return url, None, {"confirm_publish": True, "max_retries": 1}


_REDIS = {
    "visibility_timeout": 2 * HARD_LIMIT_S,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 3,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
_CONF = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,  # the main process gives the chunk back at once, with the cause
    "task_time_limit": HARD_LIMIT_S,
    "task_soft_time_limit": HARD_LIMIT_S * SOFT_PART,
    "task_publish_retry": True,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1, "interval_step": 0, "interval_max": 0.1},
    "task_create_missing_queues": False,
    "task_default_exchange": "",  # the nameless exchange: nothing to declare or to bind
    "worker_prefetch_multiplier": 1,
    "worker_max_tasks_per_child": 1000,
    "worker_max_memory_per_child": 4_000_000,  # KiB
    "worker_lost_wait": 1.0,
    "worker_proc_alive_timeout": 60.0,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_consumer": "apps.worker.consumer:HintConsumer",
    "broker_connection_timeout": 4,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_heartbeat": 15,
    "enable_utc": True,
}
