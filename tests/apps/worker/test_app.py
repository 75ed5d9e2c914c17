"""The Celery application: by the contract's names, JSON only, ids only, one set of queues an installation."""

from pathlib import Path

import pytest

from apps.store.database import open_database
from apps.worker.app import create_celery, require_broker
from apps.worker.tasks import register_tasks
from apps.worker.working import Bench
from core.errors import AssayError
from tests.services import home_settings


def test_the_tasks_have_the_names_of_the_contract(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    app = create_celery(settings)
    register_tasks(app, Bench(db=open_database(settings), settings=settings))
    assert {name for name in app.tasks if not name.startswith("celery.")} == {
        "finance.assess",
        "finance.score_chunk",
        "finance.score_batch",
        "finance.stream",
        "inspection.inspect",
        "inspection.inspect_batch",
        "models.refresh",
    }


def test_only_json_is_spoken_and_no_result_is_kept(tmp_path: Path) -> None:
    conf = create_celery(home_settings(tmp_path)).conf
    assert (list(conf.accept_content), conf.task_serializer) == (["json"], "json")
    assert (conf.task_ignore_result, conf.task_acks_late, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert not conf.worker_enable_remote_control


def test_two_homes_on_one_broker_do_not_share_queues(tmp_path: Path, redis_url: str) -> None:
    names = [
        {queue.name for queue in create_celery(home_settings(tmp_path / home, broker_url=redis_url)).conf.task_queues}
        for home in ("a", "b")
    ]
    assert len(names[0]) == 3
    assert names[0].isdisjoint(names[1])


def test_redis_waits_longer_than_the_longest_task_and_rabbitmq_keeps_quorum(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    redis = create_celery(home_settings(tmp_path, broker_url="redis://127.0.0.1:1/0")).conf
    assert redis.broker_transport_options["visibility_timeout"] >= 2 * redis.task_time_limit
    rabbitmq = create_celery(home_settings(tmp_path, broker_url="amqp://127.0.0.1:1//")).conf
    assert {queue.queue_arguments["x-queue-type"] for queue in rabbitmq.task_queues} == {"quorum"}


@pytest.mark.parametrize("url", ["sqs://", "memory://", "nonsense", "redis//localhost"])
def test_a_broker_that_is_not_supported_is_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(AssayError, match="ASSAY_BROKER_URL"):
        create_celery(home_settings(tmp_path, broker_url=url))


def test_a_broker_that_is_down_is_one_line_without_the_password(tmp_path: Path) -> None:
    app = create_celery(home_settings(tmp_path, broker_url="amqp://me:hidden@127.0.0.1:1//"))
    with pytest.raises(AssayError) as caught:
        require_broker(app)
    assert "does not answer" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)
