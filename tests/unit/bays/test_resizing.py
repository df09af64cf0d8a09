import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import resizing
from tests.unit.bays import fake_magnum

COMPLETE = {"status": "CREATE_COMPLETE", "updated_at": "2026-01-01T00:00:00"}
WORKING = {"status": "UPDATE_IN_PROGRESS", "updated_at": "2026-01-01T00:01:00"}
DONE = {"status": "UPDATE_COMPLETE", "updated_at": "2026-01-01T00:02:00"}


def resize(magnum, deadline_s=60.0, settled=lambda: False, **wanted):
    """Resize a bay of a fake Magnum; the first status is that before."""
    with fake_magnum.bays(magnum) as bays:
        prepared = bays.prepare_resize(
            bays.show("c-1"), resizing.ResizeRequest(**wanted), settled
        )
        observed = bays.resize(prepared, deadline_s)
    assert observed.cluster.status == "UPDATE_COMPLETE"
    return observed


def changes(magnum):
    """Return the requests that change something."""
    return [request for request in magnum.requests if request[0] != "GET"]


# The second response is to the request for Magnum's newest version.
BEFORE = (COMPLETE, COMPLETE)


def test_a_resize_is_requested_and_waited_for():
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, DONE)
    assert resize(magnum, nodes=5).cluster.status == "UPDATE_COMPLETE"
    body = {"node_count": 5}
    assert changes(magnum) == [("POST", "/clusters/c-1/actions/resize", body)]


def test_a_resize_that_had_no_effect_is_sent_again():
    # One look at the bay after the lost request, until it is sent again.
    looks = [COMPLETE] * 20
    magnum = fake_magnum.FakeMagnum(*BEFORE, *looks, WORKING, DONE)
    magnum.spoilt = [False]
    resize(magnum, nodes=5)
    assert len(changes(magnum)) == 2


def test_a_resize_whose_response_was_lost_is_not_sent_again():
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, WORKING, DONE)
    magnum.spoilt = [True]
    resize(magnum, nodes=5, remove=("a",))
    assert len(changes(magnum)) == 1


def test_nodes_and_a_group_can_be_named():
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, DONE)
    resize(magnum, nodes=2, remove=("a", "b"), nodegroup="gpu")
    assert changes(magnum)[0][2] == {
        "node_count": 2,
        "nodes_to_remove": ["a", "b"],
        "nodegroup": "gpu",
    }


def test_the_end_of_an_earlier_resize_is_not_the_end_of_this_one():
    magnum = fake_magnum.FakeMagnum(DONE, DONE, DONE, DONE, WORKING, 500)
    with pytest.raises(exceptions.DeadlineExceeded, match="errors in a row"):
        resize(magnum, nodes=3)


AGAIN = {**DONE, "updated_at": "2026-01-01T00:09:00"}


def test_a_resize_between_two_polls_is_proved_by_its_nodes():
    magnum = fake_magnum.FakeMagnum(DONE, DONE, DONE, AGAIN)
    found = resize(magnum, nodes=3, settled=lambda: True)
    assert found.cluster.updated_at == AGAIN["updated_at"]


def test_a_resize_between_two_polls_is_assumed_after_a_while():
    magnum = fake_magnum.FakeMagnum(DONE, DONE, DONE, AGAIN)
    assert resize(magnum, nodes=3, deadline_s=90) is not None


def test_an_update_by_the_health_monitor_does_not_end_the_wait():
    magnum = fake_magnum.FakeMagnum(DONE, DONE, DONE, AGAIN, AGAIN, 500)
    with pytest.raises(exceptions.DeadlineExceeded, match="errors in a row"):
        resize(magnum, nodes=3)


def test_a_failed_update_by_the_health_monitor_does_not_fail_the_resize():
    healthy = {**COMPLETE, "updated_at": "2026-01-01T00:09:00"}
    magnum = fake_magnum.FakeMagnum(*BEFORE, healthy, healthy, WORKING, DONE)
    assert resize(magnum, nodes=3).cluster.status == "UPDATE_COMPLETE"


def test_a_bay_that_failed_to_resize_may_be_resized_again():
    failed = {**DONE, "status": "UPDATE_FAILED", "status_reason": "no"}
    magnum = fake_magnum.FakeMagnum(failed, failed, failed, WORKING, DONE)
    assert resize(magnum, nodes=3).cluster.status == "UPDATE_COMPLETE"


def test_a_resize_that_magnum_never_begins_exceeds_its_deadline():
    magnum = fake_magnum.FakeMagnum(DONE)
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="resize the bay to 3 .*requested, not begun: UPDATE_COMPLETE",
    ):
        resize(magnum, nodes=3)


def test_a_failed_resize_has_magnums_reason_and_the_remedy():
    failed = {
        "status": "UPDATE_FAILED",
        "status_reason": "Quota exceeded for instances",
        "updated_at": "2026-01-01T00:02:00",
    }
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, failed)
    with pytest.raises(
        exceptions.BayResizeFailed,
        match="UPDATE_FAILED during its resize to 3 nodes: Quota exceeded"
        ".*quotas",
    ):
        resize(magnum, nodes=3)


def test_a_refused_resize_has_magnums_reason():
    magnum = fake_magnum.FakeMagnum(*BEFORE)
    magnum.refuse = (400, "Resizing is out of bounds")
    with pytest.raises(
        exceptions.BayResizeFailed, match="resize the bay bay to 3.*bounds"
    ):
        resize(magnum, nodes=3)


def test_a_bay_that_is_deleted_meanwhile_is_an_error():
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, 404)
    with pytest.raises(exceptions.BayResizeFailed, match="lost the bay"):
        resize(magnum, nodes=3)


@pytest.mark.parametrize("newest", ["1.6", ""])
def test_an_old_magnum_gets_an_update_of_the_node_count(newest):
    magnum = fake_magnum.FakeMagnum(*BEFORE, WORKING, DONE)
    magnum.newest = newest
    resize(magnum, nodes=5)
    patch = [{"op": "replace", "path": "/node_count", "value": 5}]
    assert changes(magnum) == [("PATCH", "/clusters/c-1", patch)]


@pytest.mark.parametrize(
    ("newest", "wanted", "message"),
    [
        (
            "1.6",
            {"nodes": 2, "remove": ("a",)},
            "to name the nodes to remove.*1.7.*is 1.6",
        ),
        ("", {"nodes": 2, "nodegroup": "gpu"}, "node group.*1.9.*is 1.1"),
        ("1.9", {"nodes": 0}, "to remove all nodes.*1.10.*is 1.9"),
    ],
)
def test_a_request_that_magnum_is_too_old_for_is_not_sent(
    newest, wanted, message
):
    magnum = fake_magnum.FakeMagnum(*BEFORE)
    magnum.newest = newest
    with pytest.raises(exceptions.BayResizeFailed, match=message):
        resize(magnum, **wanted)
    assert changes(magnum) == []


def test_the_resolution_of_a_resize_counts_from_the_last_request_before():
    magnum = fake_magnum.FakeMagnum(
        *BEFORE, COMPLETE, WORKING, fake_magnum.Slow(30.0, DONE)
    )
    assert resize(magnum, nodes=5, deadline_s=90).resolution_s == 31.0
    magnum = fake_magnum.FakeMagnum(
        *BEFORE, COMPLETE, fake_magnum.Slow(30.0, DONE)
    )
    assert resize(magnum, nodes=5, deadline_s=90).resolution_s == 31.0


def test_a_resize_whose_first_poll_fails_goes_on():
    magnum = fake_magnum.FakeMagnum(*BEFORE, 503, WORKING, DONE)
    assert resize(magnum, nodes=5).resolution_s == 1.0
    magnum = fake_magnum.FakeMagnum(*BEFORE, 503, DONE)
    assert resize(magnum, nodes=5).resolution_s is None


def test_a_resize_that_was_sent_again_may_have_begun_later():
    magnum = fake_magnum.FakeMagnum(*BEFORE, *[COMPLETE] * 20, WORKING, DONE)
    magnum.spoilt = [False]
    # Ten seconds until it was sent again, and one between two polls.
    assert resize(magnum, nodes=5).resolution_s > 11.0


def test_a_poll_that_may_have_shown_the_end_does_not_set_the_resolution():
    # It ended before the second poll, and only its nodes prove it.
    magnum = fake_magnum.FakeMagnum(DONE, DONE, DONE, AGAIN, AGAIN, AGAIN)
    settled = iter([False, False, True])
    found = resize(magnum, nodes=3, settled=lambda: next(settled))
    assert magnum.now == 3.0
    assert found.resolution_s == 3.0
