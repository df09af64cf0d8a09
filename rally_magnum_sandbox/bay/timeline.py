"""How long each step of making a bay took."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path


class Timeline:
    """Steps with their seconds, each also a line of a log.

    :param log: gets the lines
    :param clock: monotonic seconds
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
        """Time a step; one that fails is not timed.

        :param name: of the step; of steps with one name the longest counts
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
