"""The same work on several things at once."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from concurrent import futures
from typing import TypeVar

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption

T = TypeVar("T")


class Group:
    """Work that is given up as a whole when one piece of it fails.

    :param concurrency: how many pieces go on at once
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._failures: list[Exception] = []

    def run(self, work: Callable[[T], None], things: Sequence[T]) -> None:
        """Do the work on each thing; wait for all that was begun.

        :raises Exception: the first that a piece of work raised
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
        """Sleep as a piece of the work does.

        :raises GivenUp: when another piece has failed
        :raises Interrupted: when the run is asked to stop
        """
        interruption.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._failures and not interruption.is_deferred():
            raise exceptions.GivenUp(
                "This bay was given up because another one of its context "
                "could not be made."
            )


def run_all(
    work: Callable[[T], None], things: Sequence[T], concurrency: int
) -> list[Exception]:
    """Do the work on each thing, whatever fails.

    :returns: what was raised
    """

    def one(thing: T) -> Exception | None:
        try:
            with interruption.deferred():
                work(thing)
        except Exception as error:
            return error
        return None

    with futures.ThreadPoolExecutor(concurrency) as pool:
        return [error for error in pool.map(one, things) if error is not None]
