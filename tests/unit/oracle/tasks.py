"""Random tasks, and what the package makes of them: records to verdicts."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import random
from typing import Any

from rally_magnum_scale.in_bay.collector import Collector
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import states
from rally_magnum_scale.task import output
from rally_magnum_scale.task.exporters import results
from rally_magnum_scale.task.sla import criterion_plugins
from tests.unit import loads
from tests.unit.oracle import oracle

START = 1_700_000_000
TIMEOUT_S = 2.0
KEYS = {
    "request_rate": ("min_rps",),
    "request_latency": tuple(oracle.PERCENTILES),
    "request_errors": ("max_ratio",),
}
PLUGINS = {plugin.criterion: plugin for plugin in criterion_plugins.PLUGINS}
FLAWS = ("dead worker", "lost window", "lost end", "miscounted")
KINDS = ("timeout", "reset", "bad_status", "unsent")


def iteration(chance: random.Random) -> oracle.Iteration:
    """Draw the fate of each request of an iteration."""
    plan = tuple(
        oracle.Step(
            chance.choice([None, 1, 3, 10, 25]),
            chance.randint(1, 4),
            chance.randint(0, 2),
        )
        for _ in range(chance.randint(1, 3))
    )
    flaws = {chance.choice(FLAWS)} if chance.random() < 0.15 else frozenset()
    return oracle.Iteration(
        steps=plan,
        requests=tuple(_requests(chance, plan)),
        flaws=frozenset(flaws),
        miscounted_due=chance.random() < 0.03,
        error=chance.random() < 0.03,
        stored=chance.random() > 0.03,
    )


def _requests(
    chance: random.Random, plan: tuple[oracle.Step, ...]
) -> list[oracle.Request]:
    total_s = sum(one.ramp_s + one.duration_s for one in plan)
    stall_s = chance.uniform(0, total_s)
    stall_end_s = stall_s + chance.choice([0, 0, 0.3, 1.5, 4.0])
    failing = chance.choice([*[0] * 8, *[0.02] * 4, 0.3, 0.3, 1.0])
    found = []
    for second in range(total_s):
        number, _ = oracle.place(plan, second)
        rate = plan[number - 1].rate_rps or chance.randint(1, 15)
        for _ in range(chance.randint(int(rate * 0.8), int(rate * 1.2) + 1)):
            # Whole microseconds, as the engine keeps them.
            due_s = second + chance.randrange(999_999) / 1e6
            took_s = chance.choice([0.001, 0.002, 0.004]) * chance.uniform(
                1, 9
            )
            ended_s = due_s + took_s
            if stall_s <= due_s < stall_end_s:
                ended_s = stall_end_s + took_s
            failure = chance.choice(KINDS) if chance.random() < failing else ""
            if failure == "timeout":
                ended_s = due_s + TIMEOUT_S
            found.append(
                oracle.Request(
                    chance.randrange(2), due_s, round(ended_s, 6), failure
                )
            )
    return found


def workload(chance: random.Random) -> oracle.Workload:
    """Draw iterations, and bounds that are not far from their figures."""
    every = tuple(iteration(chance) for _ in range(chance.randint(1, 3)))
    asked = []
    for criterion, keys in KEYS.items():
        if chance.random() < 0.25:
            continue
        fewest = min(len(one.steps) for one in every)
        number = chance.choice([None, chance.randint(1, fewest)])
        for key in chance.sample(keys, chance.randint(1, len(keys))):
            one = chance.choice(every)
            known = oracle.value(one, key, number or len(one.steps))
            if known is None or math.isinf(known):
                known = 1.0
            # A bucket of a histogram is a thousandth wide.
            off = chance.choice([0.01, 0.01, 0.5, 0.9])
            kind = chance.random() < 0.85
            lower = kind is (key == "min_rps")
            bound = known * (1 - off if lower else 1 + off)
            while any(_is_close(each, key, number, bound) for each in every):
                bound *= 1.004
            if key == "max_ratio":
                bound = min(bound, 1.0)
            asked.append((criterion, key, bound, number))
    return oracle.Workload(every, tuple(asked))


def _is_close(
    one: oracle.Iteration, key: str, number: int | None, bound: float
) -> bool:
    found = oracle.value(one, key, number or len(one.steps))
    if not found or found == bound:
        return False
    return math.isclose(found, bound, rel_tol=0.0015)


def seconds(one: oracle.Iteration) -> dict[tuple[int, int], Any]:
    """Cut the requests of each worker into windows, as it sends them."""
    total_s = sum(step.ramp_s + step.duration_s for step in one.steps)
    found: dict[tuple[int, int], dict[tuple[int, str], list]] = {
        (worker, second): {} for worker in (0, 1) for second in range(total_s)
    }
    for asked in one.requests:
        at = (asked.worker, int(asked.ended_s))
        due = oracle.place(one.steps, asked.due_s)
        found.setdefault(at, {}).setdefault(due, []).append(asked)
    last = max(second for _, second in found)
    return {
        (worker, second): _window(
            one, second, found.get((worker, second), {})
        ).packed()
        for worker in (0, 1)
        for second in range(last + 1)
    }


def _window(
    one: oracle.Iteration,
    second: int,
    by_due: dict[tuple[int, str], list[oracle.Request]],
) -> windows.Window:
    total_s = sum(step.ramp_s + step.duration_s for step in one.steps)
    step, phase = (
        oracle.place(one.steps, second)
        if second < total_s
        else (len(one.steps), "stop")
    )
    parts = {due: _part(due, asked) for due, asked in by_due.items()}
    every = list(parts.values())
    empty = Histogram()
    answered = sum(part.requests for part in every)
    return windows.Window(
        second=START + second,
        phase=phase,
        step=step,
        workers=1,
        requests=answered,
        failures=windows.add_counts(part.failures for part in every),
        latency_us=empty.merge(*(part.latency_us for part in every)),
        service_us=empty.merge(*(part.service_us for part in every)),
        schedule_lag_us=Histogram({10: answered} if answered else {}),
        cpu_s=0.1,
        carried=tuple(
            part for due, part in parts.items() if due != (step, phase)
        ),
    )


def _part(due: tuple[int, str], asked: list[oracle.Request]) -> windows.Part:
    times = collections.Counter(
        round((one.ended_s - one.due_s) * 1e6)
        for one in asked
        if not one.failure
    )
    kinds = collections.Counter(one.failure for one in asked if one.failure)
    histogram = Histogram.from_values_us(times)
    return windows.Part(*due, times.total(), dict(kinds), histogram, histogram)


def lines(
    chance: random.Random, number: int, told: int, one: oracle.Iteration
) -> list[dict[str, Any]]:
    """Return the records of an iteration, by way of the Locust master."""
    plan = steps.Plan(
        tuple(steps.Step(**dataclasses.asdict(step)) for step in one.steps)
    )
    job = loads.job(
        "http://h/",
        plan=plan,
        source=records.Source("task", number, "bay"),
        worker_processes=2,
        timeout_s=TIMEOUT_S,
    )
    collector = Collector(job)
    collector.begin(["w_0", "w_1"], START)
    dead_from = 1 if "dead worker" in one.flaws else None
    written = []
    packed = seconds(one)
    last = max(second for _, second in packed)
    for second in range(last + 1):
        for worker in (0, 1):
            if worker != 1 or dead_from is None or second < dead_from:
                collector.add(f"w_{worker}", [packed[worker, second]])
        if dead_from == second:
            collector.died("w_1", START + second)
        written += collector.records(START + second + 0.5)
    for worker in (0, 1):
        if worker != 1 or dead_from is None:
            collector.done(f"w_{worker}", START + last, _outcome(one, worker))
    written += collector.end(START + last)
    if "lost window" in one.flaws:
        found = [x for x in written if x["record"] == "window"]
        written.remove(chance.choice(found))
    if "lost end" in one.flaws:
        written.pop()
    counted = sum(not asked.failure for asked in one.requests)
    if "miscounted" in one.flaws:
        counted += chance.choice([-1, 1_000])
    return [*written, *_summary(plan, written, number, counted, told)]


def _outcome(one: oracle.Iteration, worker: int) -> dict[str, Any]:
    own = [asked for asked in one.requests if asked.worker == worker]
    due: list[int | None] = [
        None
        if step.rate_rps is None
        else sum(asked.worker == worker for asked in oracle.due(one, number))
        for number, step in enumerate(one.steps, 1)
    ]
    if one.miscounted_due and worker == 0:
        due = [None if count is None else count + 1 for count in due]
    return {
        "requests": sum(not asked.failure for asked in own),
        "failures": collections.Counter(x.failure for x in own if x.failure),
        "due": due,
        "late_s": 0.0,
    }


def _summary(
    plan: steps.Plan,
    written: list[dict[str, Any]],
    number: int,
    counted: int,
    told: int,
) -> list[dict[str, Any]]:
    source = records.Source("task", number, "bay")
    run = records.collect(json.loads(json.dumps(written)))
    load = records.Throughput(
        targets=1,
        workers=2,
        cores_pods=1.0,
        cores_real_nodes=1.0,
        requests_counted_by_targets=counted,
        steps=step_summary.summarise(
            plan,
            run.windows,
            run.end,
            cores_pods=1.0,
            cores_real_nodes=1.0,
            counted_by_targets=counted,
        ),
    )
    asked = conditions.ConditionsRecord("c", "s", "a", {}, iterations=told)
    return [
        source.envelope("conditions", asked.to_json()),
        source.envelope("throughput", load.to_json()),
    ]


def stored(chance: random.Random, one: oracle.Workload) -> dict[str, Any]:
    """Return what Rally stores of a workload, with its own SLA engine."""
    told = len(one.iterations)
    data = [
        {
            "timestamp": 1.0 + number,
            "duration": 1.0,
            "idle_duration": 0.0,
            "error": ["Broken", "it broke", "trace"] if each.error else [],
            "atomic_actions": [],
            "output": {
                "additive": [],
                "complete": [
                    output.records_output(lines(chance, number, told, each))
                ],
            },
        }
        for number, each in enumerate(one.iterations, 1)
        if each.stored
    ]
    config: dict[str, dict[str, Any]] = {}
    for criterion, key, bound, number in one.asked:
        own = config.setdefault(criterion, {})
        own[key] = bound
        if number is not None:
            own["step"] = number
    return {
        "name": "MagnumScale.throughput",
        "args": {},
        "description": "",
        "sla": config,
        "sla_results": {"sla": _judged(chance, config, data)},
        "data": data,
        "runner_type": "constant",
        "runner": {"times": told, "concurrency": 1},
        "contexts": {},
        "contexts_results": [],
    }


def _judged(
    chance: random.Random,
    config: dict[str, dict[str, Any]],
    data: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Let Rally's plugins judge, in one process or merged from several."""
    found = []
    for name, own in config.items():
        shares = [PLUGINS[name](own) for _ in range(chance.randint(1, 2))]
        for each in data:
            chance.choice(shares).add_iteration(each)
        first, *others = shares
        for other in others:
            first.merge(other)
        found.append(first.result())
    return found


def read(workloads: list[dict[str, Any]]) -> Any:
    """Read them back, as an exporter gets them."""
    task = {
        "uuid": "task",
        "status": "finished",
        "created_at": "2026-01-01T00:00:00",
        "subtasks": [{"title": "t", "workloads": workloads}],
    }
    return results.read([task])


def state(report: Any) -> str:
    """Return the state of all workloads of a report together."""
    return states.of_task(report.workloads, report.errors)
