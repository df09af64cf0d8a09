import itertools
import types

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import draining
from tests.unit.kube import fake_api

EVICT = "/api/v1/namespaces/default/pods/{}/eviction"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    real = waiting.wait_for
    monkeypatch.setattr(
        waiting,
        "wait_for",
        lambda poll, **options: real(poll, **options, interval_s=0.01),
    )


def pod(name, node="n-1", **metadata):
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            **metadata,
        },
        "spec": {"nodeName": node},
        "status": {"phase": "Running"},
    }


def pods(*found):
    return {"items": list(found)}


def script(*lists, **evictions):
    """Script the lists of pods, and what each pod's eviction gets."""
    return {
        "/api/v1/nodes/n-1": [{}],
        "/api/v1/pods": list(lists),
        **{EVICT.format(name): found for name, found in evictions.items()},
    }


def drain(scripted, names=("n-1",), deadline_s=30.0):
    with fake_api.serve(scripted) as (fake, cluster):
        try:
            drained = draining.drain(cluster, names, deadline_s=deadline_s)
            count = drained.evicted
        except exceptions.ScaleError as error:
            count = error
    return count, fake


def requests(fake, text):
    return [path for path, _ in fake.queries if text in path]


def test_nodes_are_cordoned_and_their_pods_evicted():
    count, fake = drain(
        script(
            pods(pod("a"), pod("b"), pod("c", node="n-2")),
            pods(pod("c", node="n-2")),
            a=[{}],
            b=[{}],
        )
    )
    assert count == 2
    assert fake.posted[0] == {"spec": {"unschedulable": True}}
    assert requests(fake, "eviction") == [EVICT.format("a"), EVICT.format("b")]


def test_pods_of_the_node_and_pods_that_have_ended_stay():
    daemon = pod("d", ownerReferences=[{"kind": "DaemonSet"}])
    static = pod("s", annotations={"kubernetes.io/config.mirror": "x"})
    over = {**pod("o"), "status": {"phase": "Succeeded"}}
    count, fake = drain(script(pods(daemon, static, over)))
    assert count == 0
    assert not requests(fake, "eviction")


def test_the_resolution_counts_from_the_last_list_with_pods(monkeypatch):
    ticks = itertools.count(100.0)
    clock = types.SimpleNamespace(monotonic=lambda: next(ticks))
    monkeypatch.setattr(draining, "time", clock)
    scripted = script(pods(pod("a")), pods(pod("a")), pods(), a=[{}, {}])
    with fake_api.serve(scripted) as (_, cluster):
        found = draining.drain(cluster, ["n-1"], deadline_s=30.0)
    # The clock is read before each list, at each pod, and at the end.
    assert found.resolution_s == 3.0


def test_a_drain_without_pods_has_no_resolution():
    with fake_api.serve(script(pods())) as (_, cluster):
        found = draining.drain(cluster, ["n-1"], deadline_s=30.0)
    assert found == draining.Drained(0, None)


def test_a_disruption_budget_is_respected_and_the_eviction_retried():
    count, fake = drain(
        script(pods(pod("a")), pods(pod("a")), pods(), a=[429, {}])
    )
    assert count == 1
    assert len(requests(fake, "eviction")) == 2


def test_a_pod_that_is_ending_is_waited_for_and_not_evicted_again():
    ending = pod("a", deletionTimestamp="2026-01-01T00:00:00Z")
    count, fake = drain(script(pods(pod("a")), pods(ending), pods(), a=[{}]))
    assert count == 1
    assert len(requests(fake, "eviction")) == 1


@pytest.mark.parametrize("answer", [404, 500])
def test_a_pod_that_is_already_gone_is_no_failure(answer):
    count, _ = drain(script(pods(pod("a")), pods(), a=[answer]))
    assert count == 0


@pytest.fixture
def evicting(monkeypatch):
    """The time of the wait passes, but not before the first evictions."""
    clock = types.SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr(draining, "time", clock)


def test_the_error_names_pods_that_a_disruption_budget_protects(evicting):
    error, _ = drain(
        script(pods(pod("a"), pod("b")), a=[429], b=[429]), deadline_s=0.1
    )
    assert isinstance(error, exceptions.DeadlineExceeded)
    assert "2 left: default/a is protected, usually by a PodDisrup" in str(
        error
    )


def test_a_refusal_is_one_sentence():
    error, _ = drain(script(pods(pod("a")), a=[403]))
    assert isinstance(error, exceptions.KubernetesError)
    assert "evict the pod a: 403" in str(error)


def test_nodes_that_still_exist_are_uncordoned():
    scripted = {"/api/v1/nodes/gone": [404], "/api/v1/nodes/n-1": [{}]}
    with fake_api.serve(scripted) as (fake, cluster):
        draining.uncordon(cluster, ["gone", "n-1"], print)
    assert fake.posted == [{"spec": {"unschedulable": False}}] * 2


def test_nodes_that_can_not_be_uncordoned_are_reported():
    lines = []
    with fake_api.serve({"/api/v1/nodes/n-1": [403]}) as (_, cluster):
        draining.uncordon(cluster, ["n-1", "n-2"], lines.append)
    assert len(lines) == 1
    assert "may stay cordoned, n-1 first" in lines[0]


def test_an_eviction_that_breaks_off_is_retried():
    count, fake = drain(
        script(pods(pod("a")), pods(pod("a")), pods(), a=[0.0, {}])
    )
    assert count == 1
    assert len(requests(fake, "eviction")) == 2


def test_a_pod_that_can_not_be_evicted_does_not_count_as_evicted(evicting):
    error, _ = drain(script(pods(pod("a")), a=[500]), deadline_s=0.1)
    assert "default/a could not be evicted yet (500)" in str(error)


def test_cordoning_many_nodes_has_a_deadline(monkeypatch):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.05)
    scripted = {"/api/v1/nodes/n-1": [503]}
    error, fake = drain(scripted, names=["n-1"] * 50, deadline_s=0.01)
    assert isinstance(error, exceptions.ScaleError)
    assert len(fake.queries) < 50
