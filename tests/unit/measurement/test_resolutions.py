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


@pytest.mark.parametrize(("created", "deleted"), [(200, 100), (100, 200)])
def test_the_nodes_of_each_time_share_its_resolution(created, deleted):
    bay = factories.bay(
        nodes=created,
        nodes_deleted=deleted,
        create_resolution_s=3.0,
        nodes_ready_resolution_s=4.0,
        delete_resolution_s=5.0,
    )
    found = read(records.Run(bays=(bay,)))
    assert found["bay_create_time.max_s_per_node"] == 3 / created
    assert found["node_ready_time.max_s_per_node"] == 4 / created
    assert found["bay_delete_time.max_s_per_node"] == 5 / deleted


def test_the_coarsest_bay_of_an_iteration_decides():
    fine = {
        "create_resolution_s": 0.25,
        "node_ready_resolution_s": 0.5,
        "nodes": 100,
    }
    coarse = {**fine, "create_resolution_s": 0.75, "nodes": 10}
    stamped = {**fine, "node_ready_resolution_s": 0.625}
    never = {**fine, "create_s": None, "node_ready_s": None}
    bays = (
        factories.bay(name=name, **changes)
        for name, changes in enumerate((fine, coarse, stamped, never))
    )
    found = read(records.Run(bays=tuple(bays)))
    assert found["bay_create_time.max_s"] == 0.75
    assert found["bay_create_time.max_s_per_node"] == 0.075
    assert found["node_ready_time.p99_s"] == 0.625


def test_a_resolution_that_is_not_known_is_none():
    bay = factories.bay(
        nodes_ready_resolution_s=None, node_ready_resolution_s=None
    )
    found = read(records.Run(bays=(bay,)))
    for key in ("max_s", "max_s_per_node", "p99_s"):
        assert found[f"node_ready_time.{key}"] == 0.0


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
        (0.025, 0.02),
        (0.026, 0.025),
        (0.05, 0.025),
        (0.1, 0.05),
        (0.2, 0.1),
        (0.3, 0.2),
        (0.4, 0.2),
        (0.6, 0.2),
        (0.8, 0.2),
        (0.95, 0.2),
        (1.0, 0.2),
        (1.25, 0.25),
        (1.5, 0.25),
        (2.0, 0.5),
        (3.0, 1.0),
        (4.0, 1.0),
        (5.0, 1.0),
        (6.0, 1.0),
        (8.0, 2.0),
        (10.0, 2.0),
        (15.0, 5.0),
        (20.0, 5.0),
        (30.0, 10.0),
        (45.0, 15.0),
        (60.0, 15.0),
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


@pytest.mark.parametrize(
    ("ms", "width_us"),
    [
        (0.0, 1),
        (0.5, 1),
        (2.047, 1),
        # From here on, 1,024 buckets share each power of two.
        (2.048, 2),
        (3.0, 2),
        (50.0, 32),
        (9_000.0, 8192),
    ],
)
def test_a_latency_is_as_close_as_its_bucket_is_wide(ms, width_us):
    width_ms = resolutions.find("request_latency", "p50_ms", None, ms)
    assert width_ms == pytest.approx(width_us / 1000)


def test_what_is_counted_is_exact_and_a_search_as_close_as_it_was_asked():
    run = factories.searched()
    found = read(run)
    assert found["max_rate.min_rps"] == pytest.approx(9_800 * 0.05)
    assert read(factories.run())["request_rate.min_rps step 1"] == 0.0
    assert read(factories.run())["request_errors.max_ratio step 1"] == 0.0
