"""Work side by side: results in their order, and an end for all where one fails or somebody stops it."""

from __future__ import annotations

from concurrent.futures import CancelledError
from threading import Event

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from models.learning.one_order import in_one_order
from pipeline.core.parallel import Crew

SOON = 30.0


def test_results_come_in_the_order_of_the_parts_whoever_is_first() -> None:
    second_is_done = Event()

    def work(part: int) -> int:
        if part == 1:
            assert second_is_done.wait(SOON)
        if part == 2:
            second_is_done.set()
        return part * 10

    with Crew(2) as crew:
        assert list(crew.map(work, [1, 2, 3])) == [10, 20, 30]


def test_who_stops_waiting_calls_off_what_has_not_begun_and_ends_what_has() -> None:
    begun, ended, never = Event(), Event(), Event()

    def long_work() -> None:
        begun.set()
        try:
            while not never.wait(0.01):
                crew.go_on()
        except CancelledError:
            ended.set()
            raise

    crew = Crew(1)
    at_work, waiting = crew.submit(long_work), crew.submit(never.set)
    assert begun.wait(SOON)
    with pytest.raises(KeyboardInterrupt), crew:
        raise KeyboardInterrupt
    assert ended.is_set()
    assert not never.is_set()
    assert waiting.cancelled()
    assert isinstance(at_work.exception(), CancelledError)


def threads_of_blas() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_order_of_sums_is_kept_until_the_last_one_leaves() -> None:
    with threadpool_limits(2, "blas"):
        first, second = in_one_order(), in_one_order()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads_of_blas() == {1}
        second.__exit__(None, None, None)
        assert threads_of_blas() == {2}
