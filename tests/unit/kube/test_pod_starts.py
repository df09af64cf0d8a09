import itertools

from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import pod_starts
from tests.unit.kube import fake_api

PATH = "/api/v1/namespaces/n/pods"


def pod(uid, ready, version):
    conditions = [{"type": "Ready", "status": "True"}] if ready else []
    return {
        "metadata": {
            "name": uid,
            "uid": uid,
            "resourceVersion": str(version),
        },
        "status": {"conditions": conditions},
    }


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": [*items]}


def event(kind, item):
    return {"type": kind, "object": item}


def test_a_pod_is_timed_from_its_creation_to_ready():
    events = [
        event("ADDED", pod("a", False, 2)),
        event("ADDED", pod("b", False, 3)),
        event("MODIFIED", pod("old", True, 4)),
        event("MODIFIED", pod("a", True, 5)),
        event("ADDED", pod("c", False, 6)),
        event("MODIFIED", pod("b", False, 7)),
        event("MODIFIED", pod("b", True, 8)),
        event("DELETED", pod("b", True, 9)),
    ]
    script = {PATH: [listed(pod("old", False, 1)), events, []]}
    ticks = itertools.count()
    with fake_api.serve(script) as (fake, cluster):
        starts = pod_starts.PodStarts(
            cluster, "n", "app=x", clock=lambda: float(next(ticks))
        )
        with starts.following():
            waiting.wait_for(
                lambda: True if starts.unready == 1 and ends(starts) else None,
                what="the events",
                deadline_s=10,
                interval_s=0.01,
            )
    # Two ticks for each event; the pod of the list is not timed.
    assert sorted(starts.seconds) == [6.0, 10.0]
    assert starts.unready == 1
    assert fake.queries[0][1]["labelSelector"] == "app=x"


def ends(starts):
    return len(starts.seconds) == 2


def test_the_wait_for_the_last_pod_has_a_deadline():
    script = {
        PATH: [
            listed(),
            [
                event("ADDED", pod("a", False, 2)),
                event("ADDED", pod("b", False, 3)),
            ],
            [event("MODIFIED", pod("a", True, 4))],
            [],
        ]
    }
    with fake_api.serve(script) as (_, cluster):
        starts = pod_starts.PodStarts(cluster, "n", "app=x")
        assert starts.unready is None
        with starts.following():
            starts.wait_listed()
            waiting.wait_for(
                lambda: starts.unready or None,
                what="the pods",
                deadline_s=10,
                interval_s=0.01,
            )
            starts.wait_reported(0.3)
    assert len(starts.seconds) == starts.unready == 1


def test_pods_that_were_not_followed_to_the_end_have_no_figures():
    with fake_api.serve({PATH: [listed(), 403]}) as (_, cluster):
        starts = pod_starts.PodStarts(cluster, "n", "app=x")
        with starts.following():
            waiting.wait_for(
                lambda: (starts.listed and starts.unready is None) or None,
                what="the refusal",
                deadline_s=10,
                interval_s=0.01,
            )
    assert starts.seconds == []


def test_pods_that_a_broken_watch_reports_late_are_not_timed_exactly(
    monkeypatch,
):
    late = [
        event("ADDED", pod("a", False, 2)),
        event("MODIFIED", pod("a", True, 3)),
    ]
    script = {PATH: [listed(), ["END"], late, []]}
    ticks = itertools.count()
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    with fake_api.serve(script) as (_, cluster):
        starts = pod_starts.PodStarts(
            cluster, "n", "app=x", clock=lambda: next(ticks) / 100
        )
        assert starts.resolution_s is None
        with starts.following():
            waiting.wait_for(
                lambda: starts.seconds or None,
                what="the events",
                deadline_s=10,
                interval_s=0.01,
            )
    # Both were reported at once, so the start may have taken longer.
    (start_s,) = starts.seconds
    assert starts.resolution_s > start_s
