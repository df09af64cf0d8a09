from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from collections.abc import Iterator

from rally_magnum_sandbox.cluster_api import work_queue

WAIT_S = 30


class Worker:
    """Records its keys; each key's turn ends when it may."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.failures: list[str] = []
        self.may_end = threading.Semaphore(0)
        self.results: Callable[[str, int], float | None] = lambda key, n: None
        self.changed = threading.Condition()

    def work(self, key: str) -> float | None:
        with self.changed:
            self.turns.append(key)
            count = self.turns.count(key)
            self.changed.notify_all()
        assert self.may_end.acquire(timeout=WAIT_S)
        return self.results(key, count)

    def failed(self, key: str, error: Exception) -> None:
        with self.changed:
            self.failures.append(f"{key}: {error}")
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT_S), self.turns


@contextlib.contextmanager
def working(
    threads: int,
) -> Iterator[tuple[Worker, work_queue.WorkQueue[str]]]:
    worker = Worker()
    queue = work_queue.WorkQueue[str](worker.work, worker.failed, threads)
    queue.start()
    try:
        yield worker, queue
    finally:
        worker.may_end.release(1000)
        queue.close()


def test_a_key_has_one_turn_at_a_time_and_none_is_lost() -> None:
    with working(4) as (worker, queue):
        queue.add("a")
        worker.wait_for(lambda: worker.turns == ["a"])
        for _ in range(3):
            queue.add("a")
        queue.add("b")
        worker.wait_for(lambda: sorted(worker.turns) == ["a", "b"])
        worker.may_end.release(3)
        worker.wait_for(lambda: sorted(worker.turns) == ["a", "a", "b"])


def test_a_delayed_key_that_is_due_during_its_turn_has_another() -> None:
    with working(2) as (worker, queue):
        queue.add("a")
        worker.wait_for(lambda: worker.turns == ["a"])
        queue.add("a", 0.001)
        queue.add("b", 0.002)
        worker.wait_for(lambda: worker.turns == ["a", "b"])
        worker.may_end.release(3)
        worker.wait_for(lambda: sorted(worker.turns) == ["a", "a", "b"])


def test_work_can_ask_for_another_turn() -> None:
    with working(1) as (worker, queue):
        worker.results = lambda key, count: 0.001 if count == 1 else None
        worker.may_end.release(2)
        queue.add("a")
        worker.wait_for(lambda: worker.turns == ["a", "a"])
        assert worker.failures == []


def test_a_failed_key_is_retried() -> None:
    def fail_once(key: str, count: int) -> None:
        if count == 1:
            raise ValueError("no")

    with working(1) as (worker, queue):
        worker.results = fail_once
        worker.may_end.release(2)
        queue.add("a")
        worker.wait_for(lambda: worker.turns == ["a", "a"])
        assert worker.failures == ["a: no"]


def test_the_earliest_time_counts() -> None:
    with working(1) as (worker, queue):
        queue.add("a", 3600)
        queue.add("a")
        queue.add("a", 3600)
        worker.wait_for(lambda: worker.turns == ["a"])
