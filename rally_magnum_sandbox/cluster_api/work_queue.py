"""A queue of keys to reconcile, as in Kubernetes' controllers.

A key is in the queue at most once, and only one thread works on it at a time.
A key that is added meanwhile is worked on again afterwards.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from typing import Generic
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 30.0


class WorkQueue(Generic[Key]):
    """Runs a function for each added key, in several threads.

    :param work: returns None, or the seconds after which to work on the key
        again; after an exception, the key is retried with a growing delay
    :param failed: gets the key and the exception
    :param threads: how many keys are worked on at the same time
    :param ended: called in each thread at its end
    """

    def __init__(
        self,
        work: Callable[[Key], float | None],
        failed: Callable[[Key, Exception], None],
        threads: int,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._failed = failed
        self._ended = ended
        self._changed = threading.Condition()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0
        self._busy: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, daemon=True)
            for _ in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after the work that runs now."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def add(self, key: Key, delay_s: float = 0.0) -> None:
        """Work on a key soon, or after a delay; the earliest time counts."""
        with self._changed:
            if key in self._busy and not delay_s:
                self._again.add(key)
                return
            due = time.monotonic() + delay_s
            if due < self._due.get(key, float("inf")):
                self._due[key] = due
                self._count += 1
                heapq.heappush(self._heap, (due, self._count, key))
                self._changed.notify()

    def _run(self) -> None:
        while (key := self._next()) is not None:
            delay_s = self._try(key)
            with self._changed:
                self._busy.discard(key)
                again = key in self._again
                self._again.discard(key)
            if again:
                self.add(key)
            elif delay_s is not None:
                self.add(key, delay_s)
        self._ended()

    def _try(self, key: Key) -> float | None:
        try:
            delay_s = self._work(key)
        except Exception as error:
            self._failed(key, error)
            count = self._failures.get(key, 0)
            self._failures[key] = count + 1
            return float(min(FIRST_RETRY_S * 2**count, LAST_RETRY_S))
        self._failures.pop(key, None)
        return delay_s

    def _next(self) -> Key | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                key = self._take(now)
                if key is not None:
                    return key
                first = self._heap[0][0] if self._heap else None
                self._changed.wait(None if first is None else first - now)
            return None

    def _take(self, now: float) -> Key | None:
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                # An earlier time was added later, and its turn has passed.
                continue
            del self._due[key]
            if key not in self._busy:
                self._busy.add(key)
                return key
            self._again.add(key)
        return None
