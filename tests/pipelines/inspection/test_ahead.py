"""Drawing ahead."""

from collections.abc import Iterator

import pytest

from pipelines.inspection.ahead import ahead


def test_items_come_in_their_order_and_none_is_lost() -> None:
    assert list(ahead(range(50))) == list(range(50))
    assert list(ahead([])) == []


def test_an_error_comes_out_where_it_happened() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("second")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="second"):
        next(items)


def test_leaving_early_ends_the_thread() -> None:
    for item in ahead(range(1000)):
        if item == 3:
            break
