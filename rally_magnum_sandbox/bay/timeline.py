"""The duration of each step of a command on a bay."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path


class Timeline:
    """Records the seconds of steps, and logs each step.

    :param log: the log file
    :param clock: returns monotonic seconds
    """

    def __init__(
        self, log: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds: dict[str, float] = {}
        self._log = log
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; a step that fails is not recorded.

        :param name: of the step; if several steps have the same name, the
            longest is recorded
        """
        start = self._clock()
        yield
        took = self._clock() - start
        self.seconds[name] = round(max(took, self.seconds.get(name, 0.0)), 3)
        self.say(f"{name}: {took:.2f} s")

    def say(self, text: str) -> None:
        """Add a line to the log."""
        line = f"{self._clock() - self._start:7.2f} s  {text}\n"
        with self._lock, self._log.open("a") as file:
            file.write(line)
