"""Which criteria can get data from which scenario."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_scenarios as bays
from rally_magnum_scale.task.scenarios import load_scenarios as loads

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
    bays.CreateAndDeleteBay: frozenset(_NEW_BAY),
    loads.FindMaxRate: frozenset(_NEW_BAY | _SEARCH),
    loads.FindMaxRateInBay: frozenset(_ANY_BAY | _SEARCH),
    loads.NodeFailureUnderLoad: frozenset(_NEW_BAY | _LOAD),
    loads.NodeFailureUnderLoadInBay: frozenset(_ANY_BAY | _LOAD),
    bays.ReplaceNodes: frozenset({*_NEW_BAY, "node_replace_time"}),
    bays.ResizeBay: frozenset({*_NEW_BAY, "bay_resize_time"}),
    loads.RollingUpdateUnderLoad: frozenset(_NEW_BAY | _UPDATE),
    loads.RollingUpdateUnderLoadInBay: frozenset(_ANY_BAY | _UPDATE),
    loads.ThroughputScenario: frozenset(_NEW_BAY | _LOAD),
    loads.ThroughputInBay: frozenset(_ANY_BAY | _LOAD),
}


def measured_by(scenario: type) -> frozenset[str]:
    """Return the criteria that can get data from a scenario.

    :param scenario: class of the scenario; a subclass of our scenarios
        measures the same, any other class writes none of our records
    """
    ours = (MEASURED[one] for one in scenario.__mro__ if one in MEASURED)
    return next(ours, frozenset())


def scenarios_that_measure(criterion: str) -> list[str]:
    """Return the names of our scenarios that measure a criterion."""
    return [
        scenario.get_name()
        for scenario, criteria in MEASURED.items()
        if criterion in criteria
    ]
