"""The night's deadline, which all steps up to the last task share."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

from rally_magnum_scale import exceptions


@dataclasses.dataclass(frozen=True)
class Deadline:
    """When a night is over, but for what has to be tidied up.

    :param limit_s: how long it may last
    :param began_s: when it began, by the monotonic clock
    """

    limit_s: float
    began_s: float = dataclasses.field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Return the seconds that are left; 0 or less when it is over."""
        return self.began_s + self.limit_s - time.monotonic()

    @contextlib.contextmanager
    def step(self, awaited: str, own_s: float) -> Iterator[float]:
        """Give a step its own time in seconds, or what the night has left.

        :param awaited: what the step is to bring, in words
        :param own_s: how long it may take by itself
        :raises DeadlineExceeded: when it takes too long, or the night was
            over before it
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
            f"{awaited}, as the night's deadline was over", self.limit_s
        )
