"""How closely the values of the criteria are measured."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import metrics
from tests.unit import factories


def read(run):
    """Read the resolution of each metric, to be compared as a float."""
    return {
        one.name: pytest.approx(one.resolution) for one in metrics.read([run])
    }


def test_every_time_is_measured_with_a_resolution():
    run = dataclasses.replace(
        factories.run(),
        bays=(factories.bay(),),
        node_changes=(
            factories.node_change(),
            factories.node_change(
                purpose=bay_records.REPLACE,
                nodes_wanted=200,
                to_go=10,
                drain_s=3.0,
            ),
        ),
        updates=(factories.update(),),
        faults=(factories.fault(),),
    )
    p99 = {"p99_s": 0.03, "p99_low_s": 0.025, "p99_high_s": 0.05}
    kinds = dict.fromkeys(("mutating", "get", "list"), p99)
    load = dataclasses.replace(
        run.throughput,
        pod_start_s=dict.fromkeys(("p50", "p90", "p99", "max"), 4.0),
    )
    run = dataclasses.replace(
        run,
        api_latency=bay_records.ApiLatency(kinds, {}),
        throughput=load,
    )
    found = metrics.read([run])
    timed = {
        (criterion.name, key)
        for criterion in criteria.CRITERIA.values()
        if criterion.compared
        for key, bound in criterion.bounds.items()
        if bound.unit in {"s", "ms", "s/node", "s/target"}
    }
    assert timed == {
        (one.criterion, one.bound_key) for one in found if one.resolution
    }


def test_a_bay_time_has_the_resolution_of_its_poll():
    bay = factories.bay(
        poll_interval_s=2.0,
        nodes=200,
        nodes_deleted=100,
        create_resolution_s=None,
        delete_resolution_s=None,
        nodes_ready_resolution_s=0.3,
    )
    found = read(records.Run(bays=(bay,)))
    # The last node was Ready 0.3 s before Magnum said so, and 0.3 s earlier
    # at most.
    assert found["bay_create_time.max_s"] == pytest.approx(0.6)
    assert found["bay_delete_time.max_s"] == 2.0
    assert found["node_ready_time.max_s"] == 0.3
    assert found["node_ready_time.p99_s"] == 1.0


@pytest.mark.parametrize(
    ("create_s", "nodes_ready_s", "early", "late"),
    [
        # Each time is at most one and two seconds too long.
        (10.0, 15.0, (3.0, 6.0), (0.0, 0.0)),
        (15.0, 10.0, (0.0, 0.0), (4.0, 7.0)),
        (10.0, 11.0, (0.0, 2.0), (0.0, 1.0)),
    ],
)
def test_the_lag_of_a_driver_lies_between_the_observations(
    create_s, nodes_ready_s, early, late
):
    bay = factories.bay(
        create_s=create_s,
        create_resolution_s=1.0,
        nodes_ready_s=nodes_ready_s,
        nodes_ready_resolution_s=2.0,
    )
    bounds = criteria.CRITERIA["driver_lag"].bounds
    assert bounds["early_max_s"].interval(bay) == early
    assert bounds["late_max_s"].interval(bay) == late
    for key, (low, high) in (("early_max_s", early), ("late_max_s", late)):
        assert low <= bounds[key].read(bay) <= high


@pytest.mark.parametrize("missing", ["create_s", "nodes_ready_s"])
def test_a_bay_without_both_times_has_no_driver_lag(missing):
    bay = factories.bay(**{missing: None})
    for bound in criteria.CRITERIA["driver_lag"].bounds.values():
        assert (bound.read(bay), bound.interval(bay)) == (None, None)


@pytest.mark.parametrize(("created", "deleted"), [(200, 100), (100, 200)])
def test_a_time_per_node_has_its_resolution_per_node(created, deleted):
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


def test_the_coarsest_bay_that_counts_decides():
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


def test_an_unknown_resolution_is_zero():
    bay = factories.bay(
        nodes_ready_resolution_s=None, node_ready_resolution_s=None
    )
    found = read(records.Run(bays=(bay,)))
    for key in ("max_s", "max_s_per_node", "p99_s"):
        assert found[f"node_ready_time.{key}"] == 0.0


def test_a_node_change_is_polled_in_magnum_and_watched_in_kubernetes():
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


def test_each_node_change_has_its_own_resolution():
    fine = factories.node_change(
        number=1, nodes_before=100, nodes_wanted=200, magnum_resolution_s=1.0
    )
    coarse = factories.node_change(
        number=2, nodes_before=200, nodes_wanted=210, magnum_resolution_s=30.0
    )
    found = read(records.Run(node_changes=(fine, coarse)))
    for number, resolution_s, nodes in ((1, 1.0, 100), (2, 30.0, 10)):
        place = f"change {number}"
        assert found[f"bay_resize_time.max_s {place}"] == resolution_s
        assert found[f"bay_resize_time.max_s_per_node {place}"] == (
            resolution_s / nodes
        )
        assert found[f"bay_resize_time.nodes_max_s_per_node {place}"] == (
            0.001 / nodes
        )


def test_each_update_has_its_own_resolution():
    run = records.Run(
        updates=(
            factories.update(number=1, targets=100),
            factories.update(number=2, targets=2),
        )
    )
    found = read(run)
    key = "rolling_update_time.max_s_per_target update"
    assert (found[f"{key} 1"], found[f"{key} 2"]) == (0.01, 0.5)


def test_a_bay_that_does_not_count_adds_no_resolution():
    bays = (
        factories.bay(name="a", create_resolution_s=1.0),
        factories.bay(
            name="b", create_resolution_s=60.0, failure="BayCreateFailed"
        ),
    )
    found = read(records.Run(bays=bays))
    assert found["bay_create_time.max_s"] == 1.0


def test_an_event_is_measured_by_watch_probe_and_window():
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
    ("ends", "resolution_s"),
    [
        ({"p99_low_s": 0.025, "p99_high_s": 0.05}, 0.025),
        ({"p99_low_s": 20.0, "p99_high_s": 30.0}, 10.0),
        # Without both ends of the bucket, nothing excuses a difference.
        ({"p99_low_s": 0.025}, 0.0),
        ({}, 0.0),
    ],
)
def test_an_api_latency_has_the_resolution_of_its_bucket(ends, resolution_s):
    kinds = {"mutating": {"requests": 9, "p99_s": 0.03, **ends}}
    run = records.Run(api_latency=bay_records.ApiLatency(kinds, {}))
    found = read(run)["api_latency.mutating_p99_s"]
    assert found == resolution_s


def test_a_request_latency_has_the_resolution_of_its_bucket():
    values = read(factories.run())
    run = factories.run().throughput.steps[0]
    p50_ms = run.latency_us["p50"] / 1000
    assert values["request_latency.p50_ms step 1"] == 0.001
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
def test_a_latency_bucket_has_three_significant_digits(ms, width_us):
    bound = criteria.CRITERIA["request_latency"].bounds["p50_ms"]
    width_ms = bound.resolution_of(None, ms)
    assert width_ms == pytest.approx(width_us / 1000)


def test_counts_are_exact_and_a_search_has_its_precision():
    run = factories.searched()
    found = read(run)
    assert found["max_rate.min_rps"] == 9_800 * 0.05
    assert read(factories.run())["request_rate.min_rps step 1"] == 0.0
    assert read(factories.run())["request_errors.max_ratio step 1"] == 0.0


def test_a_bound_per_node_is_described_as_such():
    for criterion in criteria.CRITERIA.values():
        for bound in criterion.bounds.values():
            divided = "divided by the n" in bound.description
            assert divided == (bound.unit == "s/node"), bound
