"""The night's deadline, shared by all steps up to the last task."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from rally_magnum_scale import exceptions


@dataclasses.dataclass(frozen=True)
class Deadline:
    """The deadline of a night.  The cleanup may continue after it.

    :param limit_s: how long the night may last
    :param began_s: when the night began, by the monotonic clock
    """

    limit_s: float
    began_s: float = dataclasses.field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Return the remaining seconds; 0 or less after the deadline."""
        return self.began_s + self.limit_s - time.monotonic()

    @contextlib.contextmanager
    def step(self, awaited: str, own_s: float) -> Iterator[float]:
        """Yield the timeout of a step: its own, or what the night has left.

        :param awaited: what the step waits for, in words
        :raises DeadlineExceeded: when the step takes too long, or the
            night's deadline passed before it
        """
        left_s = self.left_s()
        if left_s <= 0:
            raise self._over(awaited)
        try:
            yield min(own_s, left_s)
        except exceptions.DeadlineExceeded as error:
            if own_s < left_s:
                raise exceptions.DeadlineExceeded(awaited, own_s) from error
            raise self._over(awaited) from error

    def _over(self, awaited: str) -> exceptions.DeadlineExceeded:
        return exceptions.DeadlineExceeded(
            f"{awaited}, because the night's deadline passed", self.limit_s
        )
