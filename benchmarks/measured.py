"""What a load generator did, and what it used for it."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from rally_magnum_sandbox import exceptions
from rally_magnum_scale.in_bay.stats import histogram

DEADLINE_S = 90
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99_9": 99.9}
LAST_WORDS = 300

# Makes a command run somewhere, such as on one core.
Wrap = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Measured:
    """What a generator did.

    :param requests: answered in the measured time
    :param seconds: how long that was
    :param cpu_s: CPU seconds of the generator in it
    :param latency_us: ``p50``, ``p99`` and ``p99_9`` as the generator
        tells them; what it does not tell is left out
    """

    requests: int
    seconds: float
    cpu_s: float
    latency_us: Mapping[str, float] = field(default_factory=dict)

    @property
    def rps(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds for a million requests."""
        return self.cpu_s / self.requests * 1e6

    def figures(self, name: str) -> dict[str, object]:
        """Return the figures under the name of the generator."""
        return {
            f"{name}_rps": round(self.rps),
            f"{name}_cpu_s_per_million": round(self.cpu_s_per_million, 2),
            f"{name}_latency_us": {
                key: round(value) for key, value in self.latency_us.items()
            },
        }


def percentiles_us(whole: histogram.Histogram) -> dict[str, float]:
    """Read the percentiles of a histogram; none of an empty one."""
    found = whole.percentiles_us(PERCENTILES.values())
    pairs = zip(PERCENTILES, found, strict=True)
    return {name: us for name, us in pairs if us is not None}


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    deadline_s: float = DEADLINE_S,
) -> tuple[str, float]:
    """Run a generator to its end.

    :param command: the program and its arguments
    :param env: variables to add to the environment
    :param stdin: what it reads
    :param deadline_s: after which it is killed
    :returns: its standard output and its CPU seconds, start and end
        included
    :raises SandboxError: when it fails, with its last words
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        input=stdin or "",
        env={**os.environ, **(env or {})},
        timeout=deadline_s,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-LAST_WORDS:]
        raise exceptions.SandboxError(
            f"To compare with it, {' '.join(command)[:LAST_WORDS]} was run "
            f"and exited with {done.returncode}: {words!r}; run it by hand."
        )
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, cpu_s
