"""Which benchmarks there are.

To add one, write a function that yields results, in a module of its own,
and name it here.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from benchmarks import bay
from benchmarks import engine
from benchmarks import in_bay
from benchmarks import master_scale
from benchmarks import pages
from benchmarks import regression
from benchmarks import truth_bench
from benchmarks.result import LeftOut
from benchmarks.result import Result

BENCHMARKS: dict[str, Callable[[], Iterator[Result | LeftOut]]] = {
    "bay": bay.compare,
    "in_bay": in_bay.compare,
    "engine": engine.compare,
    "engine_open_loop": engine.open_loop,
    "master_scale": master_scale.compare,
    "pages": pages.compare,
    "regression": regression.compare,
    "truth_stall": truth_bench.stall,
    "truth_delays": truth_bench.delays,
    "truth_counts": truth_bench.counts,
    "truth_peers": truth_bench.against_peers,
}
