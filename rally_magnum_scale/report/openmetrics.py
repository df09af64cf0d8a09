"""Verdicts and metrics as OpenMetrics text.

The text is for the textfile collector of a node exporter, or for a push
gateway.
"""

from __future__ import annotations

import types
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.openmetrics import exposition

from rally_magnum_scale.history import storage

PREFIX = "rally_magnum_scale_"
_RUN = ("title", "scenario", "cloud", "workload")
_METRIC = (*_RUN, "metric", "unit")


def render(runs: Iterable[storage.StoredRun]) -> str:
    """Render the newest run of each title, scenario, cloud and position.

    Values keep the unit of their criterion, which is a label.
    """
    newest = {
        tuple(_labels(one)): one
        for one in sorted(runs, key=lambda one: one.at_s)
    }
    # All that the function needs of a registry.
    registry = types.SimpleNamespace(
        collect=lambda: _families(newest.values())
    )
    text: bytes = exposition.generate_latest(registry)
    return text.decode()


def _families(runs: Iterable[storage.StoredRun]) -> list[Gauge]:
    """Return the metric families of runs."""
    state = _gauge("run_state", "1 for the state of the run.", *_RUN, "is")
    began = _gauge("run_began_seconds", "Start time of the run.", *_RUN)
    value = _gauge("value", "Measured value, if it counts.", *_METRIC)
    holds = _gauge("bound_holds", "Whether a bound holds.", *_METRIC)
    bound = _gauge("bound", "Value of the bound.", *_METRIC)
    for run in runs:
        own = _labels(run)
        began.add_metric(own, run.at_s)
        for each in storage.STATES:
            state.add_metric([*own, each], float(each == run.state))
        for metric in run.metrics:
            if not metric.reason:
                labels = [*own, metric.name, metric.unit]
                value.add_metric(labels, metric.value)
        for judged in run.judged:
            labels = [*own, judged.name, judged.unit]
            holds.add_metric(labels, float(judged.holds))
            if judged.bound is not None:
                bound.add_metric(labels, judged.bound)
    return [state, began, value, holds, bound]


def _gauge(name: str, words: str, *labels: str) -> Gauge:
    return Gauge(PREFIX + name, words, labels=labels)


def _labels(run: storage.StoredRun) -> list[str]:
    return [
        run.title,
        run.conditions.scenario,
        run.conditions.cloud,
        str(run.position),
    ]
