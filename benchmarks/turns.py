"""Load generators that take turns on one target, and how they compare.

So none has the quiet minutes of the machine for itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from benchmarks import peers
from benchmarks.measured import Measured
from benchmarks.result import LeftOut
from benchmarks.result import Result
from rally_magnum_sandbox import exceptions

OURS = "engine"


class Turns:
    """The other generators of a benchmark, and what they did.

    :param bench: its name
    :param wanted: the generators
    """

    def __init__(self, bench: str, wanted: Mapping[str, peers.Peer]) -> None:
        self._bench = bench
        self._there, left_out = peers.available(wanted)
        self._left_out = [LeftOut(bench, *one) for one in left_out]
        self._did: dict[str, list[Measured]] = {}

    def take(self, ask: peers.Ask) -> None:
        """Run each once; leave out those that fail from now on."""
        for name, peer in list(self._there.items()):
            sys.stderr.write(f"asking {ask.url} with {name}\n")
            try:
                self._did.setdefault(name, []).append(peer(ask))
            except (
                exceptions.SandboxError,
                subprocess.TimeoutExpired,
            ) as error:
                del self._there[name]
                self._left_out.append(LeftOut(self._bench, name, str(error)))

    def left_out(self) -> Iterator[LeftOut]:
        """Name those that can't be had, or failed."""
        yield from self._left_out

    def cpu(
        self, ours: Sequence[Measured], shared: Mapping[str, object]
    ) -> Iterator[Result]:
        """Compare the CPU seconds for a request, each one's middle round."""
        for name in self._there:
            yield self._compare_cpu(name, ours, shared)

    def rates_and_cpu(
        self, ours: Sequence[Measured], shared: Mapping[str, object]
    ) -> Iterator[Result]:
        """Compare the rates, and the CPU seconds for a request.

        Of each generator its middle round by either: a round is faster or
        slower by a tenth with what else runs, and with how many answers
        happen to come at once.
        """
        for name in self._there:
            theirs = self._did[name]
            middle, peer = (
                _middle(rounds, lambda one: one.rps)
                for rounds in (ours, theirs)
            )
            yield Result(
                bench=self._bench,
                subject="engine, requests a second of one process",
                peer=name,
                ratio=middle.rps / peer.rps,
                figures={
                    **middle.figures(OURS),
                    **peer.figures(name),
                    f"{OURS}_rounds_rps": [round(one.rps) for one in ours],
                    f"{name}_rounds_rps": [round(one.rps) for one in theirs],
                    **shared,
                },
            )
            yield self._compare_cpu(name, ours, shared)

    def _compare_cpu(
        self,
        name: str,
        ours: Sequence[Measured],
        shared: Mapping[str, object],
    ) -> Result:
        middle, peer = (
            _middle(rounds, lambda one: one.cpu_s_per_million)
            for rounds in (ours, self._did[name])
        )
        return Result(
            bench=self._bench,
            subject="engine, CPU seconds per million requests",
            peer=name,
            ratio=peer.cpu_s_per_million / middle.cpu_s_per_million,
            figures={**middle.figures(OURS), **peer.figures(name), **shared},
        )


def _middle(
    rounds: Sequence[Measured], by: Callable[[Measured], float]
) -> Measured:
    return sorted(rounds, key=by)[(len(rounds) - 1) // 2]
