"""Load generators that take turns on one target, and how they compare.

So none has the quiet minutes of the machine for itself.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from benchmarks import peers
from benchmarks.measured import Measured
from benchmarks.result import LeftOut
from benchmarks.result import Result
from rally_magnum_scale import exceptions

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
        """Compare the CPU seconds for a request.

        Those of the middle round: how much a request costs depends on how
        many are answered at once, and so on what else runs.
        """
        for name in self._there:
            yield self._compare_cpu(name, ours, shared)

    def rates_and_cpu(
        self, ours: Sequence[Measured], shared: Mapping[str, object]
    ) -> Iterator[Result]:
        """Compare the rates of the best rounds, and the CPU seconds."""
        for name in self._there:
            theirs = self._did[name]
            best, peer = _fastest(ours), _fastest(theirs)
            yield Result(
                bench=self._bench,
                subject="engine, requests a second of one process",
                peer=name,
                ratio=best.rps / peer.rps,
                figures={
                    **best.figures(OURS),
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
        middle, peer = _middle(ours), _middle(self._did[name])
        return Result(
            bench=self._bench,
            subject="engine, CPU seconds per million requests",
            peer=name,
            ratio=peer.cpu_s_per_million / middle.cpu_s_per_million,
            figures={**middle.figures(OURS), **peer.figures(name), **shared},
        )


def _fastest(rounds: Sequence[Measured]) -> Measured:
    return max(rounds, key=lambda one: one.rps)


def _middle(rounds: Sequence[Measured]) -> Measured:
    costs = [one.cpu_s_per_million for one in rounds]
    return rounds[costs.index(statistics.median_low(costs))]
