import itertools

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import staleness
from tests.unit.kube import fake_api

PATH = "/api/v1/nodes"


def node(name, ready, version, *, hollow=False, labels=None, cpu="4"):
    marks = {nodes.HOLLOW_ANNOTATION: "fake"} if hollow else {}
    return {
        "metadata": {
            "name": name,
            "resourceVersion": str(version),
            "annotations": marks,
            "labels": labels or {},
        },
        "status": {
            "allocatable": {"cpu": cpu},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": f"2026-01-01T00:00:{version:02}Z",
                }
            ],
        },
    }


def listed(version, *items):
    return {"metadata": {"resourceVersion": str(version)}, "items": [*items]}


def event(kind, item):
    return {"type": kind, "object": item}


@pytest.mark.parametrize(
    "taint",
    [
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cluster.x-k8s.io/uninitialized",
    ],
)
def test_a_node_that_is_not_initialized_is_not_ready(taint):
    early, late = node("a", True, 1), node("a", True, 1)
    early["spec"] = {"taints": [{"key": taint, "effect": "NoSchedule"}]}
    late["metadata"]["resourceVersion"] = "2"
    late["spec"] = {"taints": [{"key": "other", "effect": "NoSchedule"}]}
    times = itertools.count(100.0)
    script = {PATH: [listed(1, early), [event("MODIFIED", late)], []]}
    with fake_api.serve(script) as (_, cluster):
        (found,) = nodes.wait_for_ready(
            cluster, 1, deadline_s=30, clock=lambda: next(times)
        )
    assert found.ready
    # Its time stamp tells when it became Ready, not when it could be used.
    assert found.ready_at is None
    assert found.unready_at < found.seen_ready_at


def test_a_node_may_have_been_initialized_before_a_late_report(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    early, late = node("a", True, 2), node("a", True, 3)
    early["spec"] = {
        "taints": [{"key": "node.cloudprovider.kubernetes.io/uninitialized"}]
    }
    both = [event("MODIFIED", early), event("MODIFIED", late)]
    script = {PATH: [listed(1, node("a", False, 1)), ["END"], both, []]}
    ticks = itertools.count()
    with fake_api.serve(script) as (fake, cluster):
        (found,) = nodes.wait_for_ready(
            cluster,
            1,
            deadline_s=30,
            # So late since the list was requested.
            clock=lambda: next(ticks) / 100 + 10 * (len(fake.queries) > 2),
        )
    # The watch was interrupted for ten seconds.
    assert found.seen_ready_at > 10
    assert found.unready_at < 1


def test_an_empty_list_may_be_null():
    empty = {"metadata": {"resourceVersion": "7"}, "items": None}
    with fake_api.serve({PATH: [empty]}) as (_, cluster):
        found = watching.list_objects(cluster.core.list_node)
    assert found == ({}, "7")


def test_a_node_without_conditions_is_not_ready():
    new = node("a", True, 1)
    new["status"] = {"conditions": None, "addresses": None}
    new["metadata"] |= {"labels": None, "annotations": None}
    with fake_api.serve({PATH: [listed(1, new)]}) as (_, cluster):
        seen, _ = watching.list_objects(cluster.core.list_node)
    (found,) = nodes.read_nodes(seen)
    assert (found.ready, found.hollow, found.address) == (False, False, "")


@pytest.mark.parametrize(
    "answer",
    [
        "<html></html>",
        {},
        {"metadata": None},
        {"metadata": "x"},
        {"metadata": {"resourceVersion": ""}},
    ],
)
def test_a_list_in_another_form_is_one_sentence(answer):
    with (
        fake_api.serve({PATH: [answer]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="invalid response"),
    ):
        watching.list_objects(cluster.core.list_node)


def test_a_watch_with_an_invalid_line_is_resumed():
    script = {
        PATH: [
            listed(1, node("a", False, 1)),
            ["<html>", "END"],
            [event("ADDED", node("b", True, 3))],
            [],
        ]
    }
    with fake_api.serve(script) as (_, cluster):
        changes = watching.watch(cluster.core.list_node)
        seen = [sorted(s) for s in itertools.islice(changes, 4) if s]
        changes.close()
    assert seen[-1] == ["a", "b"]


def test_a_watch_that_is_cut_off_is_resumed():
    script = {
        PATH: [
            listed(1, node("a", False, 1)),
            [event("MODIFIED", node("a", True, 2))],
            [event("ADDED", node("b", True, 3))],
            [event("DELETED", node("a", True, 4))],
            [],
        ]
    }
    with fake_api.serve(script) as (fake, cluster):
        changes = watching.watch(cluster.core.list_node)
        seen = [sorted(s) for s in itertools.islice(changes, 8) if s]
        changes.close()
    assert seen[-1] == ["b"]
    versions = [q.get("resourceVersion") for _, q in fake.queries]
    assert versions[:4] == [None, "1", "2", "3"]


def test_a_version_that_is_too_old_causes_a_new_list():
    gone = {"type": "ERROR", "object": {"code": 410, "metadata": {}}}
    script = {
        PATH: [
            listed(1),
            [gone],
            listed(9, node("a", True, 9)),
            [],
        ]
    }
    with fake_api.serve(script) as (fake, cluster):
        changes = watching.watch(cluster.core.list_node)
        seen = [s for s in itertools.islice(changes, 5) if s]
        changes.close()
    assert [sorted(s) for s in seen] == [["a"]]
    assert "watch" not in fake.queries[2][1]


def observed(script, last, *, stay_s=0.0):
    """Watch until an object is there, with a clock that the test moves.

    :param stay_s: seconds by which the clock moves after each update; by
        default, it moves by ten seconds before the watch is resumed, and not
        at all while it works
    :returns: when each object was observed and since when it may have
        happened, by name, and the server
    """
    found, now, late, known = staleness.Staleness(), [100.0], {}, {}
    with fake_api.serve(script) as (fake, cluster):
        changes = watching.watch(
            cluster.core.list_node,
            staleness=found,
            clock=lambda: now[0],
            label_selector="a=b",
        )
        for seen in itertools.islice(changes, 20):
            if seen is None:
                now[0] += stay_s or 10.0
                continue
            for name in seen.keys() ^ known.keys():
                sign = "" if name in seen else "-"
                late[sign + name] = (now[0], found.not_before)
            known = dict(seen)
            if last in late:
                break
            now[0] += stay_s
        changes.close()
    return late, fake


def exact(now):
    return (now, now - staleness.WATCH_S)


def test_a_watch_that_breaks_off_may_report_changes_late():
    script = {
        PATH: [
            listed(1),
            [
                event("ADDED", node("a", True, 2)),
                event("ADDED", node("b", True, 3)),
            ],
            [event("ADDED", node("c", True, 4))],
            [{"type": "ERROR", "object": {"code": 410, "metadata": {}}}],
            listed(9, node("d", True, 9)),
            [],
        ]
    }
    late, fake = observed(script, "d", stay_s=10.0)
    # The watch was opened ten seconds after the list, so what it reports at
    # once may have happened since.
    assert late["a"] == (110.0, 100.0)
    assert late["b"] == exact(120.0)
    # It broke off at 130 and was resumed at 140.  No list showed a version,
    # so nothing proves that it worked meanwhile.
    assert late["c"] == (140.0, 120.0)
    assert late["d"] == (180.0, 120.0)
    # A new list needs no version.
    assert len(fake.limited) == 2


def test_a_resumed_watch_reports_what_was_missed_and_what_was_not():
    deleted = node("a", True, 8)
    script = {
        PATH: [
            listed(2, node("a", True, 1), node("b", True, 2)),
            [],
            [
                event("ADDED", node("c", True, 5)),
                event("DELETED", deleted),
            ],
        ],
        f"{PATH}?limit=1": [listed(7, node("a", True, 1))],
    }
    late, fake = observed(script, "-a")
    # The clock moved by ten seconds before the watch was resumed.
    assert late["c"] == (110.0, 100.0)
    # The version of a deletion is its own and not that of the object.
    assert late["-a"] == (110.0, 110.0)
    # The version is that of the whole resource.
    assert fake.limited == [(PATH, {"limit": "1"})]


def test_what_happens_right_after_the_resumption_is_exact():
    script = {
        PATH: [listed(1), [], [event("ADDED", node("a", True, 10))]],
        f"{PATH}?limit=1": [listed(9)],
    }
    late, _ = observed(script, "a")
    assert late["a"] == exact(110.0)


def test_a_deletion_may_be_missed():
    script = {
        PATH: [
            listed(2, node("a", True, 2)),
            [],
            [event("DELETED", node("a", True, 9))],
        ],
        f"{PATH}?limit=1": [listed(9)],
    }
    late, _ = observed(script, "-a")
    assert late["-a"] == (110.0, 100.0)


def test_a_watch_that_was_silent_twice_has_missed_what_is_older():
    events = [
        event("ADDED", node(n, True, v)) for n, v in (("a", 9), ("b", 10))
    ]
    script = {
        PATH: [listed(1), [], [], events],
        f"{PATH}?limit=1": [listed(9), listed(10)],
    }
    late, _ = observed(script, "b")
    # The first resumed watch should have reported it, and may be dead.
    assert late["a"] == (120.0, 100.0)
    assert late["b"] == (120.0, 110.0)


def test_a_bookmark_is_no_change():
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    script = {
        PATH: [
            listed(1),
            [bookmark, bookmark],
            [event("ADDED", node("a", True, 10))],
        ]
    }
    late, fake = observed(script, "a", stay_s=10.0)
    assert late["a"] == (140.0, 100.0)
    # Yet the watch goes on from it.
    assert fake.queries[-1][1]["resourceVersion"] == "9"


@pytest.mark.parametrize(
    "answer",
    [
        403,
        503,
        0.0,
        "<html>",
        {},
        {"metadata": "x"},
        {"metadata": {"resourceVersion": "x1"}},
    ],
)
def test_without_a_version_a_watch_is_resumed_all_the_same(answer):
    events = [
        event("ADDED", node(n, True, v)) for n, v in (("a", 9), ("b", 10))
    ]
    script = {PATH: [listed(1), [], events], f"{PATH}?limit=1": [answer]}
    late, fake = observed(script, "b")
    assert late["a"] == late["b"] == (110.0, 100.0)
    assert len(fake.limited) == 1


def test_a_version_that_does_not_come_holds_up_no_watch(monkeypatch):
    monkeypatch.setattr(watching, "_VERSION_TIMEOUT_S", 0.05)
    script = {
        PATH: [listed(1), [], [event("ADDED", node("a", True, 9))]],
        f"{PATH}?limit=1": [10.0],
    }
    late, fake = observed(script, "a")
    assert late["a"] == (110.0, 100.0)
    assert fake.waited_out == 0


def test_only_a_watch_with_a_staleness_requests_versions():
    script = {PATH: [listed(1), [], [event("ADDED", node("a", True, 9))]]}
    with fake_api.serve(script) as (fake, cluster):
        changes = watching.watch(cluster.core.list_node)
        next(seen for seen in changes if seen)
        changes.close()
    assert fake.limited == []


def test_a_refused_list_is_one_sentence():
    with fake_api.serve({PATH: [403]}) as (_, cluster):
        changes = watching.watch(cluster.core.list_node)
        with pytest.raises(
            exceptions.KubernetesError, match="403.*scripted 403"
        ):
            next(changes)


@pytest.mark.parametrize("answer", [429, 500, 503, 0.0])
def test_a_list_that_fails_for_a_moment_is_tried_again(answer):
    with fake_api.serve({PATH: [answer, listed(1)]}) as (_, cluster):
        changes = watching.watch(cluster.core.list_node)
        assert list(itertools.islice(changes, 2)) == [None, {}]
        changes.close()


def test_the_error_at_the_deadline_has_the_message_of_a_failed_list():
    with (
        fake_api.serve({PATH: [503]}) as (_, cluster),
        pytest.raises(
            exceptions.DeadlineExceeded, match="0 of 1 Ready; .*scripted 503"
        ),
    ):
        nodes.wait_for_ready(cluster, 1, deadline_s=0.1)


@pytest.mark.parametrize("answer", [[], ["END"], 0.0, 500, 503])
def test_a_watch_that_breaks_at_once_is_retried_with_pauses(
    answer, monkeypatch
):
    monkeypatch.setattr(client, "PAUSE_S", 0.1)
    # After a refused watch comes a list, after a broken one a watch.
    script = {PATH: [listed(1), answer, listed(1), answer, listed(1), []]}
    with (
        fake_api.serve(script) as (fake, cluster),
        pytest.raises(exceptions.DeadlineExceeded),
    ):
        nodes.wait_for_ready(cluster, 1, deadline_s=0.3)
    assert len(fake.queries) <= 2 * 5


def test_a_watch_without_events_is_resumed_without_a_pause(monkeypatch):
    paused_s = []
    monkeypatch.setattr(watching.interruption, "sleep", paused_s.append)
    monkeypatch.setattr(client, "SILENCE_S", 0.05)
    script = {PATH: [listed(1), 5.0]}
    with fake_api.serve(script) as (_, cluster):
        changes = watching.watch(cluster.core.list_node)
        assert list(itertools.islice(changes, 4)) == [{}, None, None, None]
        changes.close()
    assert paused_s == [0.0, 0.0]


def test_nodes_are_waited_for_without_the_control_plane():
    master = {"node-role.kubernetes.io/control-plane": ""}
    script = {
        PATH: [
            listed(1, node("m", True, 1, labels=master), node("a", False, 1)),
            [
                event("ADDED", node("b", True, 2, hollow=True)),
                event("MODIFIED", node("a", True, 3, cpu="1500m")),
            ],
        ]
    }
    with fake_api.serve(script) as (_, cluster):
        found = nodes.wait_for_ready(cluster, 2, deadline_s=30)
    assert {(n.name, n.hollow, n.cores) for n in found} == {
        ("a", False, 1.5),
        ("b", True, 4.0),
    }


def test_nodes_that_never_become_ready_are_counted_in_the_error():
    script = {PATH: [listed(1, node("a", False, 1)), []]}
    with (
        fake_api.serve(script) as (_, cluster),
        pytest.raises(exceptions.DeadlineExceeded, match="0 of 1 Ready"),
    ):
        nodes.wait_for_ready(cluster, 1, deadline_s=0.3)


def test_a_bay_of_hollow_nodes_can_not_run_a_load():
    hollow = nodes.Node("a", ready=True, hollow=True, cores=4)
    with pytest.raises(exceptions.KubernetesError, match="hollow"):
        nodes.real([hollow])


def test_each_node_has_the_times_at_which_it_became_ready():
    # The clock ticks whenever it is read.
    seconds = itertools.count(99.0)
    script = {
        PATH: [
            listed(1, node("a", True, 1), node("b", False, 2)),
            [
                event("MODIFIED", node("b", True, 3)),
                event("MODIFIED", node("a", True, 4)),
                event("ADDED", node("c", True, 5)),
            ],
        ]
    }
    with fake_api.serve(script) as (_, cluster):
        found = nodes.wait_for_ready(
            cluster, 3, deadline_s=30, clock=lambda: next(seconds)
        )
    new_year = 1767225600.0
    # The node a was Ready anew, since a later stamp.
    assert {(n.name, n.seen_ready_at, n.ready_at) for n in found} == {
        ("a", 109.0, new_year + 4),
        ("b", 106.0, new_year + 3),
        ("c", 112.0, new_year + 5),
    }
    # The list was requested after 99.0, and only a was Ready in it.
    assert {n.name: n.unready_at for n in found} == {
        "a": None,
        "b": 99.0,
        "c": 99.0,
    }


def test_a_node_that_is_no_longer_ready_does_not_count():
    script = {
        PATH: [
            listed(1, node("a", True, 1), node("b", True, 2)),
            [
                event("MODIFIED", node("a", False, 3)),
                event("DELETED", node("b", True, 4)),
                event("ADDED", node("c", True, 5)),
            ],
            [event("ADDED", node("d", True, 6)), "END"],
            [event("ADDED", node("e", True, 7))],
        ]
    }
    with fake_api.serve(script) as (_, cluster):
        found = nodes.wait_for_ready(cluster, 3, deadline_s=30)
    by_name = {one.name: one for one in found}
    assert sorted(by_name) == ["a", "c", "d", "e"]
    assert not by_name["a"].ready
    assert by_name["a"].ready_at is None
