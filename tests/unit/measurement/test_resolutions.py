"""Each metric has the resolution of its own measurement."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.measurement import resolutions
from tests.unit import factories


def read(run):
    return {one.name: one.resolution for one in metrics.read([run])}


def test_each_time_has_a_resolution_and_no_other_bound_is_named():
    timed = {
        (criterion.name, key)
        for criterion in criteria.CRITERIA.values()
        for key, bound in criterion.bounds.items()
        if bound.unit in {"s", "ms", "s/node", "s/target"}
    }
    found = {("max_rate", "min_rps"), ("max_rate", "min_rps_per_core")}
    assert set(resolutions.BY_BOUND) == timed | found


def test_a_bay_is_polled():
    bay = factories.bay(
        poll_interval_s=2.0,
        nodes=200,
        nodes_deleted=100,
        create_resolution_s=None,
        delete_resolution_s=None,
        nodes_ready_resolution_s=0.3,
    )
    found = read(records.Run(bays=(bay,)))
    assert found["bay_create_time.max_s"] == 2.0
    assert found["bay_delete_time.max_s"] == 2.0
    assert found["node_ready_time.max_s"] == 0.3
    assert found["node_ready_time.p99_s"] == 1.0
    # The fewest nodes make it the coarsest.
    assert found["bay_create_time.max_s_per_node"] == 0.02
    slow = dataclasses.replace(bay, create_resolution_s=5.0, name="other")
    both = read(records.Run(bays=(bay, slow)))
    assert both["bay_create_time.max_s"] == 5.0


def test_a_change_of_nodes_is_polled_in_magnum_and_watched_in_kubernetes():
    change = factories.node_change(poll_interval_s=2.0, drain_s=3.0)
    found = read(records.Run(node_changes=(change,)))
    assert found["bay_resize_time.max_s change 1"] == 2.0
    assert found["bay_resize_time.max_s_per_node change 1"] == 0.02
    assert found["bay_resize_time.nodes_max_s change 1"] == 0.001
    replaced = factories.node_change(
        purpose=bay_records.REPLACE, to_go=10, nodes_wanted=200, drain_s=3.0
    )
    found = read(records.Run(node_changes=(replaced,)))
    assert found["node_replace_time.max_s change 1"] == 0.001
    assert found["node_replace_time.drain_max_s change 1"] == 1.0
    assert found["node_replace_time.drain_max_s_per_node change 1"] == 0.1


def test_an_event_is_seen_by_watch_probe_and_window():
    run = dataclasses.replace(
        factories.run(),
        updates=(factories.update(),),
        faults=(factories.fault(),),
    )
    found = read(run)
    (update,) = run.updates
    assert found["rolling_update_time.max_s update 1"] == 1.0
    assert found["rolling_update_time.max_s_per_target update 1"] == (
        1 / update.targets
    )
    assert found["recovery_time.notice_max_s fault 1"] == 0.001
    assert found["recovery_time.pods_max_s fault 1"] == 1.0
    assert found["recovery_time.requests_max_s fault 1"] == 1.0
    assert found["recovery_time.max_s fault 1"] == 1.0


@pytest.mark.parametrize(
    ("p99_s", "width_s"),
    [
        (0.004, 0.005),
        (0.005, 0.005),
        (0.02, 0.02),
        (0.3, 0.2),
        (0.95, 0.2),
        (30.0, 10.0),
        # No upper bound: it may be anything above.
        (61.0, 61.0),
    ],
)
def test_an_api_server_counts_in_buckets(p99_s, width_s):
    kinds = {"mutating": {"requests": 9, "p50_s": 0.01, "p99_s": p99_s}}
    run = records.Run(api_latency=bay_records.ApiLatency(kinds, {}))
    found = read(run)["api_latency.mutating_p99_s"]
    assert found == pytest.approx(width_s)


def test_the_latency_of_requests_is_kept_in_three_digits():
    values = read(factories.run())
    run = factories.run().throughput.steps[0]
    p50_ms = run.latency_us["p50"] / 1000
    assert values["request_latency.p50_ms step 1"] == pytest.approx(0.001)
    assert p50_ms < 2.048
    for ms in (0.5, 3.0, 50.0, 9_000.0):
        width = resolutions.find("request_latency", "p50_ms", None, ms)
        assert width <= max(0.001, ms / 1000)
        assert width >= ms / 3000


def test_what_is_counted_is_exact_and_a_search_as_close_as_it_was_asked():
    run = factories.searched()
    found = read(run)
    assert found["max_rate.min_rps"] == pytest.approx(9_800 * 0.05)
    assert read(factories.run())["request_rate.min_rps step 1"] == 0.0
    assert read(factories.run())["request_errors.max_ratio step 1"] == 0.0
