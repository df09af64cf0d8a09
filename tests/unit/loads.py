"""Specifications and jobs of loads, with the defaults of the scenarios."""

from __future__ import annotations

import dataclasses
from typing import Any

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.traffic import Traffic
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.workload.load_spec import LoadSpec

SOURCE = Source("12345678-aaaa", 1, "b")


def load_spec(
    *steps: Step, source: Source = SOURCE, **changes: Any
) -> LoadSpec:
    """Return the specification of a load.

    :param changes: fields of the specification or of its traffic
    """
    some = steps or (Step(100, 2, 1),)
    given = [dataclasses.asdict(step) for step in some]
    plain = load_arguments.LoadArguments(steps=given).spec(source)
    ours = {name: changes.pop(name) for name in _TRAFFIC & set(changes)}
    traffic = dataclasses.replace(plain.traffic, **ours)
    return dataclasses.replace(plain, traffic=traffic, **changes)


def job(url: str, *steps: Step, **changes: Any) -> Job:
    """Return the job of one worker with 4 connections.

    :param changes: fields of the job or of its traffic
    """
    own = {name: changes.pop(name) for name in _JOB & set(changes)}
    spec = load_spec(*steps, **{"connections_per_worker": 4, **changes})
    return Job(
        **{
            "source": spec.source,
            "traffic": spec.traffic,
            "url": url,
            "worker_processes": 1,
            "connect_deadline_s": 300.0,
            **own,
        }
    )


def _names(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


_TRAFFIC = _names(Traffic)
_JOB = _names(Job)
