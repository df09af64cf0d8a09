"""What the user of an existing bay may do."""

import dataclasses

import pytest

from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import loads
from rally_magnum_scale.preflight import plan
from tests.unit.preflight import fake_bay

LOAD = plan.LoadPlan(bay="b", pods=())


@pytest.fixture
def check(bay):
    def checked(**changes):
        load = dataclasses.replace(LOAD, **changes)
        with fake_bay.connect(bay.url) as cluster:
            return list(loads.check_rights(load, cluster))

    return checked


def test_an_administrator_has_all_rights(bay, check):
    assert [(row.have, row.verdict) for row in check()] == [
        ("all", "enough")
    ] * 2
    cluster_wide = [e for e in bay.reviewed if not e["namespace"]]
    assert {each["resource"] for each in cluster_wide} == {
        "namespaces",
        "nodes",
    }


@pytest.mark.parametrize(
    ("changes", "number", "denied"),
    [
        ({"secrets": True}, 1, "create secrets"),
        ({"pull_ahead": True}, 1, "create daemonsets"),
        ({"updated": True}, 1, "patch deployments"),
        ({"removes_nodes": True}, 0, "delete nodes"),
    ],
)
def test_a_right_is_needed_for_what_the_load_does(
    bay, check, changes, number, denied
):
    bay.denied = {denied}
    assert [row.verdict for row in check()] == ["enough"] * 2
    row = check(**changes)[number]
    assert row.have == f"all but {denied}"
    assert row.verdict != "enough"


def test_without_the_right_to_create_a_namespace_it_is_short(bay, check):
    bay.denied = {"create namespaces", "watch nodes"}
    row, other = check()
    assert row.verdict == "short"
    assert row.have == "all but create namespaces, watch nodes"
    assert other.verdict == "enough"


def test_rights_may_come_with_a_new_namespace(bay, check):
    bay.denied = {"create pods", "get pods/log"}
    row, other = check()
    assert row.verdict == "enough"
    assert other.verdict == "unknown"
    assert other.have == "all but create pods, get pods/log"


def test_what_the_server_cannot_tell_is_unknown(bay, check):
    bay.undecided = {"create namespaces", "create pods"}
    assert [row.verdict for row in check()] == ["unknown"] * 2
    assert "can't tell: create namespaces" in check()[0].change


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_review_that_is_refused_is_unknown(bay, check, status):
    bay.refuse["selfsubject"] = status
    for row in check():
        assert (row.have, row.verdict) == ("?", "unknown")
        assert f"{status}" in row.change


def test_a_server_that_does_not_answer_is_tried_once():
    with (
        fake_bay.connect("http://127.0.0.1:1") as cluster,
        pytest.raises(have.Silent, match="failed in the attempt"),
    ):
        list(loads.check_rights(LOAD, cluster))
