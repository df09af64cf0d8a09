"""Do the same work on several things at the same time."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from concurrent import futures
from typing import TypeVar

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption

T = TypeVar("T")


class Group:
    """Parallel pieces of work that are all aborted when one piece fails."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._failures: list[Exception] = []

    def run(self, work: Callable[[T], None], things: Sequence[T]) -> None:
        """Do the work on each thing; wait for every piece that has started.

        :raises Exception: the first exception of a piece of work
        """

        def one(thing: T) -> None:
            try:
                self._check()
                work(thing)
            except Exception as error:
                self._failures.append(error)

        with futures.ThreadPoolExecutor(self._concurrency) as pool:
            list(pool.map(one, things))
        if self._failures:
            raise self._failures[0]

    def sleep(self, seconds: float) -> None:
        """Sleep within a piece of work.

        :raises GivenUp: when another piece has failed
        :raises Interrupted: when the run is interrupted
        """
        interruption.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._failures and not interruption.is_deferred():
            raise exceptions.GivenUp(
                "Aborted this bay because another bay of the same context "
                "could not be created."
            )


def run_all(
    work: Callable[[T], None], things: Sequence[T], concurrency: int
) -> list[Exception]:
    """Do the work on each thing; return the errors."""

    def one(thing: T) -> Exception | None:
        try:
            with interruption.deferred():
                work(thing)
        except Exception as error:
            return error
        return None

    with futures.ThreadPoolExecutor(concurrency) as pool:
        return [error for error in pool.map(one, things) if error is not None]
