"""The bounded queue before the judges."""

import asyncio
import threading

import pytest

from apps.gateway.limits import Judges, Limits
from apps.gateway.problems import Problem


def test_who_comes_when_all_places_are_taken_is_told_when_to_try_again() -> None:
    judges = Judges(threads=1, waiting=1, retry_after_s=7)
    gate = threading.Event()

    async def crowd() -> list[object]:
        first = [asyncio.ensure_future(judges.run(lambda _: gate.wait(5))) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Problem) as caught:
            await judges.run(lambda _: True)
        assert caught.value.status_code == 429
        assert caught.value.headers == {"Retry-After": "7"}
        gate.set()
        await asyncio.gather(*first)
        return [await judges.run(lambda _: True)]

    assert asyncio.run(crowd()) == [True]
    assert judges.inside == 0
    judges.close()


def test_a_place_is_free_again_after_work_that_failed() -> None:
    judges = Judges(threads=1, waiting=0, retry_after_s=1)

    def fail(queue_ms: float) -> None:
        raise ValueError("no")

    async def twice() -> None:
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await judges.run(fail)

    asyncio.run(twice())
    assert judges.inside == 0


def test_a_caller_who_leaves_keeps_the_place_until_the_work_is_done() -> None:
    judges = Judges(threads=1, waiting=0, retry_after_s=1)
    gate = threading.Event()

    async def leave() -> None:
        task = asyncio.ensure_future(judges.run(lambda _: gate.wait(5)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert judges.inside == 1
        gate.set()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if judges.inside == 0:
                return
        raise AssertionError("the place was never given back")

    asyncio.run(leave())


def test_waiting_time_is_measured() -> None:
    judges = Judges(threads=1, waiting=1, retry_after_s=1)
    gate = threading.Event()

    async def two() -> list[float]:
        first = asyncio.ensure_future(judges.run(lambda queue_ms: gate.wait(5) and queue_ms))
        second = asyncio.ensure_future(judges.run(lambda queue_ms: queue_ms))
        await asyncio.sleep(0.1)
        gate.set()
        return [float(await first), await second]

    first, second = asyncio.run(two())
    assert first < 50 < second


@pytest.mark.parametrize("name", ["json_bytes", "silent_s", "retry_after_s"])
def test_a_bound_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})
