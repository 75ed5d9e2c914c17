"""kombu's Redis transport, with one change: an acknowledgement that cannot be sent breaks the connection.

Otherwise the fault is swallowed, the message counts as being worked on for ever, and a worker whose Redis was
restarted while all its processes were busy asks for no work again.
"""

from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class QoS(redis.QoS):
    """Keeps track of messages that are not acknowledged yet."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; BrokenPipeError, which kombu passes on to the loop that connects anew, when that fails."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise BrokenPipeError(str(error)) from error


class Channel(redis.Channel):
    """Uses the tracking above."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport that `create_celery` uses for Redis."""

    Channel = Channel
