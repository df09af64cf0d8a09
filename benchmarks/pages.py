"""How large the page of an hour is, and how long to draw and to open it.

Beside Rally's own report of the same results, with its libraries inside
(``html-static``).  Neither needs a network.
"""

from __future__ import annotations

import itertools
import math
import pathlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from playwright import sync_api
from rally import plugins
from rally.task.processing import plot

from benchmarks.result import LeftOut
from benchmarks.result import Result
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.report import page
from rally_magnum_scale.task import output
from rally_magnum_scale.task.exporters import results

BENCH = "pages"
PEER = "rally html-static"
START_S = 1_760_000_000
SECONDS = 3600
RATE_RPS = 10_000
# Of a minute; then they come again, which saves an hour of drawing lots.
DISTINCT = 60
ROUNDS = 5
TIMEOUT_MS = 120_000


def compare() -> Iterator[Result | LeftOut]:
    """Draw both pages of one task, and open them in turns."""
    program = shutil.which("chromium")
    if program is None:
        yield LeftOut(BENCH, PEER, "chromium is not installed")
        return
    plugins.load()
    task = _task()
    ours, ours_s = _timed(lambda: page.render(results.read([task])))
    theirs, theirs_s = _timed(lambda: plot.plot([task], include_libs=True))
    subject = "magnum-scale-html"
    drawn = {"draw_s": ours_s, "peer_draw_s": theirs_s}
    yield Result(BENCH, f"{subject}: draw", PEER, theirs_s / ours_s, drawn)
    sizes = {"bytes": len(ours.encode()), "peer_bytes": len(theirs.encode())}
    ratio = sizes["peer_bytes"] / sizes["bytes"]
    yield Result(BENCH, f"{subject}: size", PEER, ratio, sizes)
    opened, peer_opened = _open(program, ours, theirs)
    times = {"open_s": opened, "peer_open_s": peer_opened, "rounds": ROUNDS}
    yield Result(BENCH, f"{subject}: open", PEER, peer_opened / opened, times)


def _timed(draw: Callable[[], str]) -> tuple[str, float]:
    began_s = time.perf_counter()
    drawn = draw()
    return drawn, time.perf_counter() - began_s


def _open(program: str, *pages: str) -> list[float]:
    """Return the median seconds until each page is loaded and painted."""
    took: list[list[float]] = [[] for _ in pages]
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_api.sync_playwright() as playwright,
    ):
        files = [pathlib.Path(folder, f"{n}.html") for n in range(len(pages))]
        for file, text in zip(files, pages, strict=True):
            file.write_text(text)
        browser = playwright.chromium.launch(
            executable_path=program,
            # As a container, and root in it, needs them.
            args=["--no-sandbox", "--disable-dev-shm-usage"],
        )
        for _ in range(ROUNDS):
            for file, times in zip(files, took, strict=True):
                times.append(_open_one(browser, file))
        browser.close()
    return list(map(statistics.median, took))


def _open_one(browser: sync_api.Browser, file: pathlib.Path) -> float:
    tab = browser.new_page()
    began_s = time.perf_counter()
    tab.goto(file.as_uri(), wait_until="load", timeout=TIMEOUT_MS)
    # In the second frame all of the first one has been painted.
    tab.evaluate(
        "new Promise(done => requestAnimationFrame("
        "() => requestAnimationFrame(done)))"
    )
    took_s = time.perf_counter() - began_s
    tab.close()
    return took_s


def _task() -> dict[str, Any]:
    """Return one iteration with an hour of windows, as Rally stores it."""
    workload = {
        "name": "MagnumScale.throughput",
        "description": "An hour of load on a bay of 1,000 nodes.",
        "args": {"nodes": 1000},
        "contexts": {},
        "contexts_results": [],
        "runner_type": "constant",
        "runner": {"times": 1, "concurrency": 1},
        "hooks": [],
        "sla": {},
        "sla_results": {"sla": []},
        "pass_sla": True,
        "position": 0,
        "created_at": "2026-01-01T00:00:00",
        "load_duration": SECONDS,
        "full_duration": SECONDS,
        "total_iteration_count": 1,
        "failed_iteration_count": 0,
        "start_time": START_S * 1000,
        "min_duration": SECONDS,
        "max_duration": SECONDS,
        "statistics": {"durations": {"atomics": []}},
        "data": [_iteration()],
    }
    return {
        "uuid": "pages",
        "title": "A task",
        "description": "",
        "created_at": "2026-01-01T00:00:00",
        "env_name": "bench",
        "status": "finished",
        "subtasks": [
            {"title": "An hour", "description": "", "workloads": [workload]}
        ],
    }


def _iteration() -> dict[str, Any]:
    return {
        "timestamp": START_S,
        "duration": SECONDS,
        "idle_duration": 0.0,
        "error": [],
        "atomic_actions": [],
        "output": {
            "additive": [],
            "complete": [output.records_output(_records())],
        },
    }


def _records() -> Iterator[dict[str, Any]]:
    source = records.Source("pages", 1, "bay")
    seen = list(_windows())
    bay = bay_records.Bay("b", "template", nodes=1000, nodes_hollow=999)
    end = records.End(
        windows=len(seen),
        requests=sum(one.requests for one in seen),
        failures={},
        workers_expected=1,
        workers_connected=1,
    )
    for one in seen:
        yield source.envelope("window", one.to_json())
    yield source.envelope("bay", bay.to_json())
    yield source.envelope("end", end.to_json())


def _windows() -> Iterator[windows.Window]:
    rng = random.Random(1)  # noqa: S311
    some = [_window(rng) for _ in range(DISTINCT)]
    for offset, like in zip(range(SECONDS), itertools.cycle(some)):
        yield replace(like, second=START_S + offset)


def _window(rng: random.Random) -> windows.Window:
    return windows.Window(
        second=START_S,
        phase=steps.STEADY,
        step=1,
        workers=1,
        requests=RATE_RPS,
        latency_us=_latencies(rng, 900.0),
        service_us=_latencies(rng, 600.0),
        schedule_lag_us=Histogram({40: RATE_RPS}),
    )


def _latencies(rng: random.Random, median_us: float) -> Histogram:
    counts: dict[int, int] = {}
    for _ in range(RATE_RPS):
        us = int(median_us * math.exp(rng.gauss(0, 0.5)))
        counts[us] = counts.get(us, 0) + 1
    return Histogram.from_values_us(counts)
