"""Which criteria can get data from which scenario."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import create_and_delete_bay as bay
from rally_magnum_scale.task.scenarios import find_max_rate as search
from rally_magnum_scale.task.scenarios import node_failure_under_load as loss
from rally_magnum_scale.task.scenarios import replace_nodes as replacement
from rally_magnum_scale.task.scenarios import resize_bay as resize
from rally_magnum_scale.task.scenarios import (
    rolling_update_under_load as update,
)
from rally_magnum_scale.task.scenarios import throughput
from rally_magnum_scale.task.scenarios import throughput_in_bay

_ANY_BAY = {
    "api_latency",
    "bay_create_time",
    "driver_lag",
    "no_regression",
    "node_ready_time",
}
_NEW_BAY = {*_ANY_BAY, "api_errors", "bay_delete_time"}
_REQUESTS = {
    "pod_startup_time",
    "request_errors",
    "request_latency",
    "request_rate",
}
_LOAD = {*_REQUESTS, "recovery_time"}
_UPDATE = {*_LOAD, "rolling_update_time"}
_SEARCH = {*_REQUESTS, "max_rate"}

MEASURED: dict[type[base.Scenario], frozenset[str]] = {
    bay.CreateAndDeleteBay: frozenset(_NEW_BAY),
    search.FindMaxRate: frozenset(_NEW_BAY | _SEARCH),
    search.FindMaxRateInBay: frozenset(_ANY_BAY | _SEARCH),
    loss.NodeFailureUnderLoad: frozenset(_NEW_BAY | _LOAD),
    loss.NodeFailureUnderLoadInBay: frozenset(_ANY_BAY | _LOAD),
    replacement.ReplaceNodes: frozenset({*_NEW_BAY, "node_replace_time"}),
    resize.ResizeBay: frozenset({*_NEW_BAY, "bay_resize_time"}),
    update.RollingUpdateUnderLoad: frozenset(_NEW_BAY | _UPDATE),
    update.RollingUpdateUnderLoadInBay: frozenset(_ANY_BAY | _UPDATE),
    throughput.ThroughputScenario: frozenset(_NEW_BAY | _LOAD),
    throughput_in_bay.ThroughputInBay: frozenset(_ANY_BAY | _LOAD),
}
_NOTHING: frozenset[str] = frozenset()


def measured_by(scenario: type) -> frozenset[str]:
    """Return the criteria that can get data from a scenario.

    :param scenario: class of the scenario; a subclass of our scenarios
        measures the same, any other class writes none of our records
    """
    ours = (MEASURED[one] for one in scenario.__mro__ if one in MEASURED)
    return next(ours, _NOTHING)


def scenarios_that_measure(criterion: str) -> list[str]:
    """Return the names of our scenarios that measure a criterion."""
    return [
        scenario.get_name()
        for scenario, criteria in MEASURED.items()
        if criterion in criteria
    ]
