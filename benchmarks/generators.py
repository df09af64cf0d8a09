"""Our engine, run as a bay runs it: a Locust master and one worker."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measured
from benchmarks import target
from benchmarks.measured import DEADLINE_S
from benchmarks.measured import Measured
from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import records as record_module
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.steps import STEADY
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.task.scenarios import load_arguments

CONNECTIONS = 64
DURATION_S = 5
LOCUST = str(Path(sys.executable).with_name("locust"))
PACKAGE = Path(windows.__file__).parents[2]
LOCUSTFILE = str(PACKAGE / "in_bay/locustfile.py")


@dataclass(frozen=True)
class Run:
    """What the Locust master of a run printed.

    :param plan: that was carried out
    :param windows: one a second
    :param end: the last record
    """

    plan: Plan
    windows: Sequence[Window]
    end: dict[str, Any]

    @property
    def steady(self) -> list[Window]:
        """The windows that a rate is made of."""
        return [one for one in self.windows if one.phase == STEADY]

    @property
    def measured(self) -> Measured:
        """What the worker did in the steady windows."""
        return Measured(
            requests=sum(one.requests for one in self.steady),
            seconds=len(self.steady),
            cpu_s=sum(one.cpu_ratio_max for one in self.steady),
            latency_us=measured.percentiles_us(self.whole.latency_us),
        )

    @property
    def whole(self) -> Window:
        """The steady windows as one."""
        return as_one(self.steady)

    def results(self) -> list[record_module.StepResult]:
        """Return what a report says of each step."""
        end = record_module.End.from_json(self.end)
        return step_summary.summarise(
            self.plan,
            self.windows,
            end,
            cores_pods=None,
            cores_real_nodes=None,
        )


def as_one(seen: Iterable[Window]) -> Window:
    """Merge windows as if all had been in one second."""
    return windows.merge(
        Window.from_json({**one.to_json(), "second": 0, "step": 0})
        for one in seen
    )


def engine(
    url: str,
    plan: Plan,
    *,
    connections: int = CONNECTIONS,
    on_core: int | None = 1,
) -> Run:
    """Run a plan with one worker.

    :param url: what is asked
    :param plan: what is offered when
    :param connections: of the worker
    :param on_core: the core that the worker must stay on, None for any
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with _worker(port, on_core) as worker:
        text, _ = measured.run(
            [
                *(LOCUST, "-f", LOCUSTFILE, "--master", "--headless"),
                *("--only-summary", "--expect-workers=1", "--users=1"),
                f"--master-bind-port={port}",
            ],
            env=environment(plan, url, connections=connections),
            deadline_s=DEADLINE_S + plan.total_s,
        )
        worker.wait(10)
    return _read(plan, text)


@contextlib.contextmanager
def _worker(
    port: str, on_core: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        *(LOCUST, "-f", LOCUSTFILE, "--worker"),
        *("--master-host=127.0.0.1", f"--master-port={port}"),
    ]
    variables = {
        "RMS_ROLE": "worker",
        "RMS_MASTER_HOST": "127.0.0.1",
        "RMS_MASTER_PORT": port,
        "RMS_CONNECT_DEADLINE_S": str(DEADLINE_S),
    }
    worker = subprocess.Popen(
        command if on_core is None else target.pinned(on_core, command),
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def environment(
    plan: Plan, url: str, *, workers: int = 1, connections: int = 64
) -> dict[str, str]:
    """Return the environment of a Locust master.

    :param connections: connections of each worker
    """
    wanted = load_arguments.LoadArguments(
        steps=plan.to_json(), connections_per_worker=connections
    )
    spec = wanted.spec(record_module.Source("bench", 1, "bench"))
    job = Job(
        source=spec.source,
        traffic=spec.traffic,
        url=url,
        worker_processes=workers,
        connect_deadline_s=spec.connect_s,
    )
    return {"RMS_ROLE": "master", **job.to_environ()}


def _read(plan: Plan, text: str) -> Run:
    found = [json.loads(line) for line in text.splitlines()]
    seen = [
        Window.from_json(one) for one in found if one["record"] == "window"
    ]
    if not seen:
        raise exceptions.WorkloadError(
            "The engine was run to be measured, but not one window came: "
            f"{'; '.join(found[-1]['reasons'])}; run it by hand."
        )
    return Run(plan, seen, found[-1])
