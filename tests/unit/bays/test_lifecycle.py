import types

import pytest
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import magnum_errors
from tests.unit.bays import fake_magnum

REQUEST = lifecycle.BayRequest(name="rms-1", nodes=200)
TEMPLATE = types.SimpleNamespace(uuid="t-1", name="k8s")


def test_request_sends_the_wanted_bay():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    with fake_magnum.bays(magnum) as bays:
        accepted = bays.request(REQUEST, TEMPLATE)
    assert accepted.uuid == "c-1"
    method, path, body = magnum.requests[-1]
    assert (method, path) == ("POST", "/clusters")
    assert body["node_count"] == 200
    assert body["cluster_template_id"] == "t-1"
    assert "labels" not in body


def test_labels_are_merged_over_those_of_the_template():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    labelled = lifecycle.BayRequest("rms-1", 1, labels={"a": "b"})
    with fake_magnum.bays(magnum) as bays:
        bays.request(labelled, TEMPLATE)
    body = magnum.requests[-1][2]
    assert body["labels"] == {"a": "b"}
    assert body["merge_labels"] is True


def test_a_refused_create_has_magnums_reason():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.refuse = (403, "Resource limit exceeded for clusters")
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(
            exceptions.BayCreateFailed, match="refused.*Resource limit"
        ),
    ):
        bays.request(REQUEST, TEMPLATE)


def test_nothing_is_requested_without_a_template():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.templates = []
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.TemplateNotFound),
    ):
        bays.find_template(None)
    assert [r[0] for r in magnum.requests] == ["GET"]


def test_wait_created_returns_the_complete_cluster():
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"
    )
    with fake_magnum.bays(magnum) as bays:
        observed = bays.wait_created("c-1", 2)
    assert observed.cluster.status == "CREATE_COMPLETE"


def test_failed_create_gives_magnums_reason_and_faults():
    failed = {
        "status": "CREATE_FAILED",
        "status_reason": "Failed to create cluster",
        "faults": {"kube_masters": "No valid host was found"},
    }
    with (
        fake_magnum.bays(
            fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", failed)
        ) as bays,
        pytest.raises(
            exceptions.BayCreateFailed,
            match="Failed to create cluster; kube_masters: No valid host",
        ),
    ):
        bays.wait_created("c-1", 2)


@pytest.mark.parametrize("error", [400, 500, 503])
def test_errors_are_tolerated_for_a_minute(error):
    many = [error] * int(retries.PATIENCE_S / lifecycle.POLL_INTERVAL_S)
    magnum = fake_magnum.FakeMagnum(*many, "CREATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        observed = bays.wait_created("c-1", 2)
    assert observed.cluster.status == "CREATE_COMPLETE"


def test_errors_for_longer_are_raised_with_the_last_one():
    magnum = fake_magnum.FakeMagnum(503)
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayError, match=r"in a row.*HTTP 503"),
    ):
        bays.wait_created("c-1", 2)
    limit_s = deadlines.DEFAULT.for_create(2)
    assert magnum.now <= retries.patience_for(limit_s) + 2
    assert retries.patience_for(limit_s) < limit_s


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", 404])
def test_an_odd_status_during_a_create_is_waited_out(status):
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", status, "CREATE_COMPLETE"
    )
    with fake_magnum.bays(magnum) as bays:
        assert bays.wait_created("c-1", 2).cluster.uuid == "c-1"


def test_a_bay_that_is_updated_at_once_is_complete():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", "UPDATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        assert bays.wait_created("c-1", 2).cluster.uuid == "c-1"


@pytest.mark.parametrize("status", ["UPDATE_FAILED", "DELETE_IN_PROGRESS"])
def test_another_end_of_a_create_is_a_failure(status):
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", status)
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayCreateFailed, match=status),
    ):
        bays.wait_created("c-1", 2)


def creates(magnum):
    return [one for one in magnum.requests if one[:2] == ("POST", "/clusters")]


def test_a_create_that_had_no_effect_is_sent_again():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.spoilt = [False]
    with fake_magnum.bays(magnum) as bays:
        assert bays.request(REQUEST, TEMPLATE).uuid == "c-1"
    assert len(creates(magnum)) == 2
    assert magnum.now >= magnum_errors.SHOWN_WITHIN_S


def test_a_create_whose_response_was_lost_is_not_sent_again():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.spoilt = [True]
    with fake_magnum.bays(magnum) as bays:
        assert bays.request(REQUEST, TEMPLATE).uuid == "c-1"
    assert len(creates(magnum)) == 1


def test_a_create_that_never_works_ends_with_the_last_error():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.spoilt = [False] * 100
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayCreateFailed, match="HTTP 502"),
    ):
        bays.request(REQUEST, TEMPLATE)
    assert magnum.now <= retries.PATIENCE_S


def test_a_delete_request_survives_an_outage():
    magnum = fake_magnum.FakeMagnum("DELETE_IN_PROGRESS", 404)
    magnum.spoilt = [False] * 3
    with fake_magnum.bays(magnum) as bays:
        assert bays.delete("c-1", 2) is not None
    sent = [one for one in magnum.requests if one[0] == "DELETE"]
    assert len(sent) == 4


def test_a_bay_that_vanishes_while_it_is_created_is_named():
    with (
        fake_magnum.bays(
            fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", 404)
        ) as bays,
        pytest.raises(exceptions.BayCreateFailed, match="lost the bay"),
    ):
        bays.wait_created("c-1", 2)


def test_a_create_that_never_completes_reaches_its_deadline():
    with (
        fake_magnum.bays(
            fake_magnum.FakeMagnum("CREATE_IN_PROGRESS"),
        ) as bays,
        pytest.raises(exceptions.DeadlineExceeded, match="CREATE_IN_PROGRESS"),
    ):
        bays.wait_created("c-1", 1)


def test_delete_waits_until_the_bay_is_gone():
    magnum = fake_magnum.FakeMagnum(
        "CREATE_COMPLETE", "DELETE_IN_PROGRESS", 404
    )
    with fake_magnum.bays(magnum) as bays:
        bays.delete("c-1", 2)
    assert [r[0] for r in magnum.requests] == ["DELETE", *["GET"] * 5]


def test_failed_delete_ends_the_wait_with_the_reason():
    failed = {"status": "DELETE_FAILED", "status_reason": "port in use"}
    with (
        fake_magnum.bays(fake_magnum.FakeMagnum(failed)) as bays,
        pytest.raises(exceptions.BayDeleteFailed, match="port in use"),
    ):
        bays.delete("c-1", 2)


def test_progress_is_reported_while_waiting():
    magnum = fake_magnum.FakeMagnum(
        *["CREATE_IN_PROGRESS"] * 12, "CREATE_COMPLETE"
    )
    log: list[str] = []
    with fake_magnum.bays(magnum, log=log.append) as bays:
        bays.wait_created("c-1", 2)
    assert len(log) == 2
    assert "CREATE_IN_PROGRESS, 5 s of at most 610 s" in log[0]


UNHEALTHY = {
    "status": "CREATE_IN_PROGRESS",
    "status_reason": "waiting for\nthe control plane",
    "health_status": "UNHEALTHY",
    "health_status_reason": {
        "api": "ok",
        "n-0.Ready": True,
        **{f"n-{number}.Ready": "False" for number in range(1, 6)},
    },
}


def test_progress_and_deadline_say_what_magnum_last_showed():
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum(UNHEALTHY)
    with (
        fake_magnum.bays(magnum, log=log.append) as bays,
        pytest.raises(exceptions.DeadlineExceeded) as caught,
    ):
        bays.wait_created("c-1", 2)
    state = (
        "CREATE_IN_PROGRESS, waiting for the control plane, n-1.Ready: False, "
        "n-2.Ready: False, n-3.Ready: False, 2 more"
    )
    assert f"nodes: {state}, 5 s of" in log[0]
    assert f"last progress: {state}" in str(caught.value)


GROUPS = {
    "default-master": ("CREATE_COMPLETE", None),
    "default-worker": ("CREATE_FAILED", "No valid\nhost."),
    "gpu": ("CREATE_IN_PROGRESS", None),
    "new": (None, None),
}
GROUPS_IN_WORDS = (
    "node groups: default-worker CREATE_FAILED (No valid host), gpu "
    "CREATE_IN_PROGRESS, new no status yet"
)


def group_requests(magnum):
    paths = [path for _, path, _ in magnum.requests]
    return [path.rpartition("/")[2] for path in paths if "nodegr" in path]


def test_progress_and_deadline_name_the_node_groups_that_are_not_complete():
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.group_states = GROUPS
    with (
        fake_magnum.bays(magnum, log=log.append) as bays,
        pytest.raises(exceptions.DeadlineExceeded) as caught,
    ):
        bays.wait_created("c-1", 2, deadlines.Deadlines(create_s=12))
    state = f"CREATE_IN_PROGRESS, {GROUPS_IN_WORDS}"
    assert [f"nodes: {state}, " in line for line in log] == [True] * 2
    assert f"last progress: {state}" in str(caught.value)
    once = ["", "g-default-worker", "g-gpu", "g-new"]
    assert group_requests(magnum) == once * 3


def test_of_many_node_groups_the_first_are_named():
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum(
        *["CREATE_IN_PROGRESS"] * 6, "CREATE_COMPLETE"
    )
    states = {f"g{n}": ("CREATE_IN_PROGRESS", None) for n in range(9)}
    magnum.group_states = states
    with fake_magnum.bays(magnum, log=log.append) as bays:
        bays.wait_created("c-1", 2)
    assert "g2 CREATE_IN_PROGRESS, 6 more, 5 s" in log[0]


@pytest.mark.parametrize("status", [404, 406, 500])
def test_node_groups_that_magnum_does_not_show_are_absent(status):
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum(
        *["CREATE_IN_PROGRESS"] * 6, "CREATE_COMPLETE"
    )
    magnum.group_states = {"default-worker": status}
    with fake_magnum.bays(magnum, log=log.append) as bays:
        observed = bays.wait_created("c-1", 2)
    assert observed.cluster.status == "CREATE_COMPLETE"
    assert "nodes: CREATE_IN_PROGRESS, 5 s of" in log[0]
    assert group_requests(magnum) == [""]


def test_an_outage_keeps_the_node_groups():
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum(
        *["CREATE_IN_PROGRESS"] * 6, *[503] * 5, "CREATE_COMPLETE"
    )
    magnum.group_states = GROUPS
    with fake_magnum.bays(magnum, log=log.append) as bays:
        bays.wait_created("c-1", 2)
    assert f"{GROUPS_IN_WORDS}, 5 errors in a row: no (HTTP 503)" in log[1]
    assert group_requests(magnum).count("") == 1


@pytest.mark.parametrize(
    ("reason", "groups", "words"),
    [
        (None, GROUPS, f"CREATE_FAILED: {GROUPS_IN_WORDS}"),
        (" ", GROUPS, f"CREATE_FAILED: {GROUPS_IN_WORDS}"),
        ("out of cores", GROUPS, "CREATE_FAILED: out of cores"),
        (None, {}, "CREATE_FAILED: Magnum gave no reason"),
        (None, {"a": 500}, "CREATE_FAILED: Magnum gave no reason"),
    ],
)
def test_a_failure_without_a_reason_has_that_of_the_node_groups(
    reason, groups, words
):
    failed = {"status": "CREATE_FAILED", "status_reason": reason}
    magnum = fake_magnum.FakeMagnum(failed)
    magnum.group_states = groups
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayCreateFailed) as caught,
    ):
        bays.wait_created("c-1", 2)
    assert words in str(caught.value)


def test_an_outage_keeps_what_magnum_showed_before():
    magnum = fake_magnum.FakeMagnum(
        {"status": "CREATE_IN_PROGRESS", "health_status_reason": None},
        *[503] * 8,
        "CREATE_COMPLETE",
    )
    log: list[str] = []
    with fake_magnum.bays(magnum, log=log.append) as bays:
        bays.wait_created("c-1", 2)
    assert "CREATE_IN_PROGRESS, 5 errors in a row: no (HTTP 503), 5" in log[0]


def test_a_bay_that_magnum_does_not_show_yet_is_waited_for():
    magnum = fake_magnum.FakeMagnum(503, 404, "CREATE_IN_PROGRESS")
    with fake_magnum.bays(magnum) as bays:
        assert bays.request(REQUEST, TEMPLATE).uuid == "c-1"
        bays.wait_shown("c-1")
    assert [r[0] for r in magnum.requests] == ["POST", *["GET"] * 3]


def test_a_delete_that_magnum_lost_is_requested_again():
    lost = ["CREATE_FAILED"] * bay_poller.POLLS_UNTIL_LOST
    magnum = fake_magnum.FakeMagnum(*lost, "DELETE_IN_PROGRESS", 404)
    with fake_magnum.bays(magnum) as bays:
        assert bays.delete("c-1", 2)
    deletes = [r for r in magnum.requests if r[0] == "DELETE"]
    assert len(deletes) == 2


def test_optional_values_are_sent_when_they_are_given():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    wanted = lifecycle.BayRequest(
        "rms-1",
        1,
        network="net",
        subnet="sub",
        flavor="m1.large",
        master_flavor="m1.small",
    )
    with fake_magnum.bays(magnum) as bays:
        bays.request(REQUEST, TEMPLATE)
        without = magnum.requests[-1][2]
        bays.request(wanted, TEMPLATE)
    sent = magnum.requests[-1][2]
    assert sent["fixed_network"] == "net"
    assert sent["fixed_subnet"] == "sub"
    assert sent["flavor_id"] == "m1.large"
    assert sent["master_flavor_id"] == "m1.small"
    assert not {"fixed_network", "fixed_subnet", "flavor_id"} & set(without)


def test_deadlines_that_are_set_end_the_waits():
    short = deadlines.Deadlines(create_s=7, delete_s=3)
    with fake_magnum.bays(
        fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    ) as bays:
        with pytest.raises(exceptions.DeadlineExceeded, match="after 7 s"):
            bays.wait_created("c-1", 1000, short)
        with pytest.raises(exceptions.DeadlineExceeded, match="after 3 s"):
            bays.delete("c-1", 1000, short)


def test_the_request_has_the_deadline_in_whole_minutes():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    short = deadlines.Deadlines(create_s=61)
    with fake_magnum.bays(magnum) as bays:
        wanted = lifecycle.BayRequest("rms-1", 1, deadlines=short)
        bays.request(wanted, TEMPLATE)
    assert magnum.requests[-1][2]["create_timeout"] == 2


def test_a_bay_is_found_by_its_name():
    magnum = fake_magnum.FakeMagnum("CREATE_COMPLETE")
    magnum.listed = [{"uuid": "c-1", "name": "prod", "status": "x_COMPLETE"}]
    with fake_magnum.bays(magnum) as bays:
        assert bays.find("prod").api_address == "https://127.0.0.1:1"
        with pytest.raises(exceptions.BayNotFound, match=r"prod .c-1"):
            bays.find("test")


@pytest.fixture
def impatient(monkeypatch):
    """Give up a request after a moment of the real clock."""
    monkeypatch.setattr(bay_poller, "TIMEOUT_S", 0.05)


def test_a_request_that_hangs_does_not_hold_up_the_wait(monkeypatch):
    # Long enough for any response on a busy machine.
    monkeypatch.setattr(bay_poller, "TIMEOUT_S", 1.0)
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", fake_magnum.HANG, "CREATE_COMPLETE"
    )
    with fake_magnum.bays(magnum) as bays:
        observed = bays.wait_created("c-1", 2)
        assert bays.requests_timed_out == 1
    assert observed.cluster.status == "CREATE_COMPLETE"
    # One pause each before the request that hung and the one after.
    assert observed.resolution_s == 2 * lifecycle.POLL_INTERVAL_S


def test_requests_that_hang_are_no_errors(impatient, monkeypatch):
    many = [fake_magnum.HANG] * 3
    monkeypatch.setattr(retries, "patience_for", lambda _deadline_s: 0.0)
    magnum = fake_magnum.FakeMagnum(*many, 503, *many, "CREATE_COMPLETE")
    with fake_magnum.bays(magnum, timeout_s=0.05) as bays:
        bays.wait_created("c-1", 2)
        # A busy machine may let a response time out, too.
        assert bays.requests_timed_out >= 6


def test_an_api_that_never_answers_is_named_at_the_deadline(impatient):
    limits = deadlines.Deadlines(create_s=2, delete_s=2)
    magnum = fake_magnum.FakeMagnum(fake_magnum.HANG)
    named = pytest.raises(
        exceptions.DeadlineExceeded,
        match="requested, no answer to the last 3 requests",
    )
    with fake_magnum.bays(magnum, timeout_s=0.05) as bays:
        with named:
            bays.wait_created("c-1", 2, limits)
        with named:
            bays.wait_gone("c-1", 2, limits)


SLOW_END = fake_magnum.Slow(30.0, "CREATE_COMPLETE")


def test_the_resolution_of_a_create_counts_from_the_last_request_before():
    magnum = fake_magnum.FakeMagnum(
        fake_magnum.Slow(4.0, "CREATE_IN_PROGRESS"), 503, SLOW_END
    )
    with fake_magnum.bays(magnum) as bays:
        observed = bays.wait_created("c-1", 2)
    # From the request at 0 s, whose answer came at 4 s; that at 5 s failed.
    assert magnum.now == 36.0
    assert observed.resolution_s == 36.0
    assert observed.resolution_of(40.0) == 36.0


def test_without_an_earlier_poll_the_resolution_is_the_whole_create_time():
    magnum = fake_magnum.FakeMagnum(503, SLOW_END)
    with fake_magnum.bays(magnum) as bays:
        observed = bays.wait_created("c-1", 2)
    assert observed.resolution_s is None
    assert observed.resolution_of(31.0) == 31.0


def test_the_resolution_of_a_delete_counts_from_the_last_request_before():
    magnum = fake_magnum.FakeMagnum(
        "CREATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        fake_magnum.Slow(30.0, 404),
    )
    with fake_magnum.bays(magnum) as bays:
        assert bays.delete("c-1", 2).resolution_s == 31.0


def test_a_bay_that_is_not_found_once_is_not_gone():
    magnum = fake_magnum.FakeMagnum(
        *["DELETE_IN_PROGRESS", 404, "DELETE_IN_PROGRESS"],
        *[404, 404, 503, "DELETE_IN_PROGRESS", 404],
    )
    with fake_magnum.bays(magnum) as bays:
        assert bays.delete("c-1", 2).resolution_s == 1.0
    assert magnum.now == 4.0


def test_the_time_that_confirms_a_delete_is_not_part_of_it():
    magnum = fake_magnum.FakeMagnum(
        "DELETE_IN_PROGRESS", 404, fake_magnum.Slow(30.0, 404)
    )
    with fake_magnum.bays(magnum) as bays:
        observed = bays.delete("c-1", 2)
    assert (observed.resolution_s, observed.confirmed_s) == (1.0, 60.0)


def test_a_delete_that_was_sent_again_may_have_begun_later():
    magnum = fake_magnum.FakeMagnum("DELETE_IN_PROGRESS", 404)
    magnum.spoilt = [False] * 3
    with fake_magnum.bays(magnum) as bays:
        observed = bays.delete("c-1", 2)
    assert magnum.now > 1.0
    assert observed.resolution_s == magnum.now


def test_a_login_that_fails_is_one_sentence():
    class Refused:
        def get_endpoint(self, *_arguments, **_options):
            raise keystone_errors.Unauthorized("the password has expired")

    opened = session.Session(auth=Refused())
    with pytest.raises(exceptions.BayError) as caught:
        lifecycle.connect(opened, None, "public")
    said = "Keystone returned no endpoint of Magnum: the password has expired"
    assert str(caught.value).startswith(said)
