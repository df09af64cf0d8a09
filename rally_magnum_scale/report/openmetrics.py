"""Verdicts and metrics as OpenMetrics text.

The text is for the textfile collector of a node exporter, or for a push
gateway.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

import prometheus_client.core
import prometheus_client.openmetrics.exposition
import prometheus_client.registry

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
    families = _Families(list(newest.values()))
    text: bytes = prometheus_client.openmetrics.exposition.generate_latest(
        families
    )
    return text.decode()


class _Families(prometheus_client.registry.Collector):  # type: ignore[misc]
    """The metric families, in the form of the library's collectors."""

    def __init__(self, runs: list[storage.StoredRun]) -> None:
        self._runs = runs

    def collect(self) -> Iterator[prometheus_client.core.Metric]:
        """Return the families one by one."""
        state = _gauge("run_state", "1 for the state of the run.", _RUN, "is")
        began = _gauge("run_began_seconds", "Start time of the run.", _RUN)
        value = _gauge("value", "Measured value, if it counts.", _METRIC)
        holds = _gauge("bound_holds", "Whether a bound holds.", _METRIC)
        bound = _gauge("bound", "Value of the bound.", _METRIC)
        for run in self._runs:
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
        yield from (state, began, value, holds, bound)


def _gauge(
    name: str, words: str, labels: tuple[str, ...], *more: str
) -> prometheus_client.core.GaugeMetricFamily:
    return prometheus_client.core.GaugeMetricFamily(
        PREFIX + name, words, labels=(*labels, *more)
    )


def _labels(run: storage.StoredRun) -> list[str]:
    return [
        run.title,
        run.conditions.scenario,
        run.conditions.cloud,
        str(run.position),
    ]
