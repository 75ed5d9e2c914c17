"""Celery's consumer without what hints do not need."""

from celery.worker.consumer import Consumer

_UNUSED = {
    "DelayedDelivery",
    "Mingle",
    "Gossip",
    "Heart",
    "Events",
}  # the first would declare 28 more queues in RabbitMQ


class HintConsumer(Consumer):  # type: ignore[misc]
    """Receives tasks; no delayed delivery, no talk with other workers."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps = tuple(
            step for step in Consumer.Blueprint.default_steps if str(step).rpartition(":")[2] not in _UNUSED
        )
