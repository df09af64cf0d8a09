"""How exact the times of bays are, and how many nodes share them."""

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from tests.unit import factories


@pytest.mark.parametrize(
    ("changes", "name", "resolution_s"),
    [
        ({}, "create_s", 1.03),
        ({}, "nodes_ready_s", 1.2),
        ({}, "delete_s", 1.024),
        ({"create_s": None}, "create_s", None),
        # A release before knew the pause between two polls alone.
        ({"create_resolution_s": None}, "create_s", 2.5),
        ({"delete_resolution_s": None}, "delete_s", 2.5),
        ({"nodes_ready_resolution_s": None}, "nodes_ready_s", None),
    ],
)
def test_a_time_of_a_bay_has_its_resolution(changes, name, resolution_s):
    bay = factories.bay(poll_interval_s=2.5, **changes)
    assert bay.resolution_s(name) == resolution_s


@pytest.mark.parametrize(
    ("changes", "resolution_s"),
    [
        ({}, 1.03),
        ({"delete_resolution_s": 7.0}, 7.0),
        ({"create_s": None}, 1.024),
        ({"create_s": None, "delete_s": None}, None),
    ],
)
def test_the_polls_of_a_bay_are_as_exact_as_the_worse_time(
    changes, resolution_s
):
    assert factories.bay(**changes).polled_resolution_s == resolution_s


@pytest.mark.parametrize(
    ("body", "envelope", "name"),
    [("a", "b", "a"), ("", "b", "b"), (None, "b", "b"), ("", None, "")],
)
def test_a_bay_without_a_name_has_that_of_its_envelope(body, envelope, name):
    record = factories.bay().to_json()
    named = {"name": body, "bay": envelope}
    del record["name"]
    record |= {key: one for key, one in named.items() if one is not None}
    assert bay_records.Bay.from_json(record).name == name


def test_a_record_without_a_pause_between_polls_had_one_second():
    bay = {"uuid": "u", "template": "t", "nodes": 2, "create_s": 5.0}
    assert bay_records.Bay.from_json(bay).resolution_s("create_s") == 1.0
    change = {
        "number": 1,
        "purpose": "resize",
        "nodes_before": 2,
        "nodes_wanted": 3,
        "magnum_s": 5.0,
    }
    read = bay_records.NodeChange.from_json(change)
    assert (read.resolution_s("magnum_s"), read.to_go) == (1.0, 0)


@pytest.mark.parametrize(
    ("changes", "name", "resolution_s"),
    [
        ({"magnum_resolution_s": 1.5}, "magnum_s", 1.5),
        ({}, "magnum_s", 2.5),
        ({"magnum_s": None}, "magnum_s", None),
        ({"drain_s": 4.0, "drain_resolution_s": 0.5}, "drain_s", 0.5),
        ({"drain_s": 4.0}, "drain_s", 2.5),
        ({}, "drain_s", None),
        ({}, "nodes_s", None),
        ({"nodes_resolution_s": 0.25}, "nodes_s", 0.25),
        ({"nodes_s": None}, "nodes_s", None),
    ],
)
def test_a_time_of_a_change_has_its_resolution(changes, name, resolution_s):
    change = factories.node_change(poll_interval_s=2.5, **changes)
    assert change.resolution_s(name) == resolution_s


@pytest.mark.parametrize(
    ("changes", "resolution_s"),
    [
        ({"magnum_resolution_s": 1.5}, 1.5),
        ({"drain_s": 4.0, "drain_resolution_s": 3.0}, 3.0),
        ({"nodes_resolution_s": 7.0}, 7.0),
        ({"node_ready_resolution_s": 7.5}, 7.5),
        ({"magnum_s": None, "nodes_resolution_s": 0.001}, 0.001),
        ({"magnum_s": None}, None),
    ],
)
def test_the_coarsest_resolution_of_a_change_is_known(changes, resolution_s):
    change = factories.node_change(**changes)
    assert change.coarsest_resolution_s == resolution_s


@pytest.mark.parametrize(
    ("before", "wanted", "to_go", "changed", "per_node_s"),
    [
        (200, 300, 0, 100, 0.06),
        (300, 200, 0, 100, 0.06),
        (200, 200, 3, 3, 2.0),
        (200, 198, 3, 3, 2.0),
        (200, 201, 0, 1, 6.0),
        (200, 200, 0, 0, None),
    ],
)
def test_the_nodes_that_come_or_go_share_the_time(
    before, wanted, to_go, changed, per_node_s
):
    change = factories.node_change(
        nodes_before=before, nodes_wanted=wanted, to_go=to_go
    )
    assert change.changed == changed
    assert change.per_node(6.0) == pytest.approx(per_node_s)
    assert change.per_node(None) is None


def test_a_change_in_no_time_took_none_for_each_node():
    assert factories.node_change().per_node(0.0) == 0.0


@pytest.mark.parametrize(
    ("changes", "name", "per_node_s"),
    [
        ({}, "create_s", 0.25),
        ({}, "delete_s", 0.25),
        ({"nodes_deleted": 200}, "create_s", 0.25),
        # It had grown before it was deleted.
        ({"nodes_deleted": 200}, "delete_s", 0.125),
        ({"nodes_deleted": 0}, "delete_s", None),
        ({"nodes": 0}, "create_s", None),
    ],
)
def test_a_time_of_a_bay_is_divided_by_its_nodes(changes, name, per_node_s):
    bay = factories.bay(**{"nodes": 100, **changes})
    assert bay.per_node(name, 25.0) == per_node_s
    assert bay.per_node(name, None) is None


def test_a_record_of_the_api_latency_is_read_back():
    kinds = {"get": {"requests": 7.0, "p50_s": 0.1, "p99_s": None}}
    api = bay_records.ApiLatency(kinds, {}, "restarted")
    assert bay_records.ApiLatency.from_json(api.to_json()) == api


@pytest.mark.parametrize(
    ("created_s", "ready_s", "usable_s", "resolution_s"),
    [
        (10.0, 8.0, 10.0, 1.5),
        # The driver reported the bay complete before its nodes were Ready.
        (10.0, 60.0, 60.0, 0.5),
        (10.0, 10.25, 10.25, 0.5),
        (10.0, 9.75, 10.0, 0.75),
        (None, 60.0, None, None),
        (10.0, None, None, None),
        (0.0, 60.0, 60.0, 0.5),
        (0.5, 60.0, 60.0, 0.5),
        (-1.0, 60.0, -1.0, None),
    ],
)
def test_a_bay_is_usable_once_it_is_complete_and_all_nodes_are_ready(
    created_s, ready_s, usable_s, resolution_s
):
    bay = factories.bay(
        create_s=created_s,
        create_resolution_s=1.5,
        nodes_ready_s=ready_s,
        nodes_ready_resolution_s=0.5,
    )
    assert bay.usable_s == usable_s
    if resolution_s is not None:
        assert bay.resolution_s("usable_s") == resolution_s


@pytest.mark.parametrize(
    ("created", "ready", "resolution_s"),
    [(1.5, None, 1.5), (None, 0.5, 0.5), (None, None, 2.0)],
)
def test_an_unknown_resolution_leaves_the_known_one(
    created, ready, resolution_s
):
    bay = factories.bay(
        create_s=10.0,
        create_resolution_s=created,
        nodes_ready_s=10.0,
        nodes_ready_resolution_s=ready,
        poll_interval_s=2.0,
    )
    assert bay.resolution_s("usable_s") == resolution_s


def test_a_time_that_is_missing_has_no_resolution():
    assert factories.bay(create_s=None).resolution_s("usable_s") is None
