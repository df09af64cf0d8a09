"""The disruptions of one load: their times, errors and records."""

import contextlib
import time

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import lost_nodes
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import disruption_schedule
from rally_magnum_scale.runs import probes
from rally_magnum_scale.workload import events
from tests.unit.kube import fake_api
from tests.unit.runs import controlled_disruption
from tests.unit.runs.controlled_disruption import node
from tests.unit.runs.controlled_disruption import pod

NAMESPACE = "rms-12345678-1-load"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
SOURCE = records.Source("12345678-aaaa", 1, "b")


pytestmark = pytest.mark.usefixtures("short_waits")


class FakeInjector:
    def __init__(self, error=None):
        self.error = error
        self.done = []

    def fail(self, one, how):
        self.done.append(("fail", one.name, how, time.monotonic()))
        if self.error:
            raise self.error

    def check(self, one):
        if one.name == "unknown":
            raise exceptions.BayError("unknown has no server")

    def revert(self, one, how):
        self.done.append(("revert", one.name, how, time.monotonic()))
        return how != "delete"


def listed(*items):
    for one in items:
        one["metadata"]["resourceVersion"] = "1"
    return {"metadata": {"resourceVersion": "1"}, "items": [*items]}


def changed(kind, item):
    item["metadata"]["resourceVersion"] = "2"
    return {"type": kind, "object": item}


def script_of(**changes):
    """The target on n1 is lost with it after a second, and replaced."""
    moved = [
        changed("DELETED", pod("a", "n1")),
        changed("ADDED", pod("c", "n2")),
    ]
    lost = [changed("DELETED", node("n1"))]
    return {
        f"{PODS}?target": [
            *(listed(pod("a", "n1"), pod("b", "n2")), 1.0),
            *(moved, 0.2, []),
        ],
        PODS: [listed()],
        "/api/v1/nodes": [
            *(listed(node("n1"), node("n2")), 1.0),
            *(lost, 0.2, []),
        ],
        **changes,
    }


def node_of(name):
    return node_list.Node(name, True, False, 4.0)


PODS_OF_LOAD = probes.LoadPods(
    [node_of("n1"), node_of("n2")], [pod("a", "n1")], [pod("w", "n2")]
)


@contextlib.contextmanager
def running(schedule, pods=PODS_OF_LOAD):
    with schedule.following(), schedule.observing(pods):
        yield


def schedule_of(cluster, *wanted, injector=None):
    spec = controlled_disruption.spec_of(faults=wanted)
    log = []
    schedule = disruption_schedule.DisruptionSchedule(
        cluster, spec, injector or FakeInjector(), log.append
    )
    return schedule, log


def begun(found, *, ago_s=0.0):
    """Let the plan's first second be so long ago."""
    epoch_s = 1_000_000.0
    found.on_record(
        {"record": "start", "written_s": epoch_s, "second": epoch_s - ago_s}
    )
    return epoch_s


def wait_begun(found):
    """Let the load last until all has begun; return its first second."""
    epoch_s = begun(found)
    end = time.monotonic() + 10
    while any(one.began_at is None for one in found.planned):
        assert time.monotonic() < end
        time.sleep(0.01)
    return epoch_s


def summed_up(found, *windows):
    summary = records.Throughput(
        targets=2, workers=1, cores_pods=1.0, cores_real_nodes=2.0, steps=[]
    )
    run = records.Run(windows=windows, throughput=summary)
    return found.records(SOURCE, run)


def test_a_load_without_disruptions_sends_no_request():
    with fake_api.serve({}) as (fake, cluster):
        found, _ = schedule_of(cluster)
        with running(found):
            pass
        assert fake.queries == []
    assert found.planned == []
    assert summed_up(found) == []


def test_a_disruption_begins_at_its_time_and_is_waited_for():
    injector = FakeInjector()
    with fake_api.serve(script_of()) as (_, cluster):
        found, log = schedule_of(
            cluster, events.NodeFault(at_s=0.5), injector=injector
        )
        with running(found):
            before = time.monotonic()
            epoch_s = wait_begun(found)
    (done,) = injector.done
    assert done[:3] == ("fail", "n1", "network")
    assert done[3] - before >= 0.5
    written = summed_up(found, controlled_disruption.window(0))
    assert [one["record"] for one in written] == ["event"] * 3 + ["fault"]
    began_s = written[0]["second"]
    assert began_s >= epoch_s + 0.5
    lost, *others = [one["kind"] for one in written[:3]]
    assert lost == "node_lost"
    assert sorted(others) == ["node_noticed", "pods_ready_again"]
    (fault,) = records.collect(written).faults
    assert fault.began_s == pytest.approx(began_s, abs=0.001)
    assert (fault.how, fault.nodes, fault.targets_lost) == (
        "network",
        ["n1"],
        1,
    )
    assert any(line.startswith("node_lost: n1 dropped") for line in log)


def test_an_error_of_a_disruption_is_raised_while_the_load_runs():
    injector = FakeInjector(exceptions.BayError("Nova refuses."))
    with fake_api.serve(script_of()) as (_, cluster):
        found, _ = schedule_of(
            cluster, events.NodeFault(at_s=0), injector=injector
        )

        def follow():
            with running(found):
                begun(found)
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    found.refuse_error()
                    time.sleep(0.01)

        with pytest.raises(exceptions.BayError, match="Nova refuses"):
            follow()
    (fault,) = records.collect(summed_up(found)).faults
    assert "Nova refuses." in fault.reason
    assert fault.failure


def run_a_load_that_fails(found):
    with running(found):
        begun(found)
        raise RuntimeError("the load")


def test_a_failed_load_is_raised_and_stops_its_disruptions():
    with fake_api.serve(script_of()) as (_, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=19))
        with pytest.raises(RuntimeError, match="the load"):
            run_a_load_that_fails(found)
    (fault,) = records.collect(summed_up(found)).faults
    assert fault.reason == "the load ended before the disruption began"
    assert (fault.began_s, fault.failure) == (None, "")


def test_no_disruption_begins_after_the_load():
    injector = FakeInjector()
    with fake_api.serve(script_of()) as (_, cluster):
        found, _ = schedule_of(
            cluster, events.NodeFault(at_s=5), injector=injector
        )
        with running(found):
            begun(found)
            # Its end came early.
    (fault,) = records.collect(summed_up(found)).faults
    assert fault.reason == "the load ended before the disruption began"
    assert injector.done == []


def test_the_disruptions_of_a_load_that_never_began_are_not_waited_for():
    with fake_api.serve(script_of()) as (_, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=0))
        with running(found):
            pass
    (fault,) = records.collect(summed_up(found)).faults
    assert fault.reason == "the load ended before the disruption began"


def test_a_record_that_is_read_late_does_not_shift_the_disruptions():
    with fake_api.serve(script_of()) as (_, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=0))
        with running(found):
            # Written 30 s before it was read; another line was not.
            found.stamped(999_970.0)
            wait_begun(found)
    (fault,) = records.collect(summed_up(found)).faults
    assert fault.began_s == pytest.approx(1_000_000.0, abs=5)


def test_a_node_that_can_t_be_lost_is_refused_before_the_load():
    pods = probes.LoadPods([node_of("unknown")], [pod("a", "unknown")])
    with fake_api.serve({}) as (_, cluster):
        found, _ = schedule_of(cluster, events.NodeFault())
        with (
            pytest.raises(exceptions.BayError, match="no server"),
            found.observing(pods),
        ):
            pytest.fail("the load began")


def test_an_api_that_refuses_the_list_fails_the_load_before_it_begins():
    script = script_of(**{f"{PODS}?target": [403]})
    with fake_api.serve(script) as (_, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=1))
        with (
            pytest.raises(exceptions.KubernetesError, match="can't be follow"),
            running(found),
        ):
            pytest.fail("the load began")


def test_faults_without_a_fault_injector_are_refused():
    spec = controlled_disruption.spec_of(faults=(events.NodeFault(),))
    with (
        fake_api.serve({}) as (_, cluster),
        pytest.raises(exceptions.InvalidInput, match="no fault injector"),
    ):
        disruption_schedule.DisruptionSchedule(cluster, spec, None, print)


def test_revert_undoes_all_faults_and_deletes_the_pods_on_lost_nodes():
    injector = FakeInjector()
    with fake_api.serve(script_of()) as (fake, cluster):
        found, _ = schedule_of(
            cluster, events.NodeFault(at_s=0, how="stop"), injector=injector
        )
        with running(found):
            wait_begun(found)
        fake.queries.clear()
        fake.script["/api/v1/nodes"] = [
            listed(node("n1", ready=False), node("n2")),
            [changed("MODIFIED", node("n1"))],
        ]
        found.revert()
    assert [done[:3] for done in injector.done] == [
        ("fail", "n1", "stop"),
        ("revert", "n1", "stop"),
    ]
    (path, query), *others = fake.queries
    assert (path, query["fieldSelector"]) == (PODS, "spec.nodeName=n1")
    # The node is waited for.
    assert [path for path, _ in others] == ["/api/v1/nodes"] * 2


def test_a_node_that_does_not_come_back_is_named(monkeypatch):
    monkeypatch.setattr(lost_nodes, "BACK_WITHIN_S", 0.3)
    with fake_api.serve(script_of()) as (fake, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=0))
        with running(found):
            wait_begun(found)
        with pytest.raises(exceptions.DeadlineExceeded, match="n1 not yet"):
            found.revert()


def test_a_deleted_machine_is_not_waited_for():
    with fake_api.serve(script_of()) as (fake, cluster):
        found, _ = schedule_of(cluster, events.NodeFault(at_s=0, how="delete"))
        with running(found):
            wait_begun(found)
        fake.queries.clear()
        found.revert()
    assert [path for path, _ in fake.queries] == [PODS]


def test_revert_continues_with_the_next_fault_when_one_fails():
    class Stubborn(FakeInjector):
        def revert(self, one, how):
            super().revert(one, how)
            raise exceptions.BayError(f"{how} stays")

    injector = Stubborn()
    moved = [
        changed("DELETED", pod("a", "n1")),
        changed("DELETED", pod("d", "n3")),
        changed("ADDED", pod("b", "n2")),
        changed("ADDED", pod("c", "n2")),
    ]
    lost = [changed("DELETED", node(name)) for name in ("n1", "n3")]
    script = {
        f"{PODS}?target": [
            *(listed(pod("a", "n1"), pod("d", "n3")), 1.0),
            *(moved, 0.2, []),
        ],
        PODS: [listed()],
        "/api/v1/nodes": [
            *(listed(node("n1"), node("n2"), node("n3")), 1.0),
            *(lost, 0.2, []),
        ],
    }
    with fake_api.serve(script) as (_, cluster):
        spec = controlled_disruption.spec_of(
            faults=(
                events.NodeFault(at_s=0, how="stop"),
                events.NodeFault(at_s=0, how="network"),
            )
        )
        found = disruption_schedule.DisruptionSchedule(
            cluster, spec, injector, print
        )
        pods = probes.LoadPods(
            [node_of("n1"), node_of("n3")], [pod("a", "n1"), pod("d", "n3")]
        )
        with running(found, pods):
            wait_begun(found)
        with pytest.raises(exceptions.BayError, match="stop stays"):
            found.revert()
    assert {done[2] for done in injector.done if done[0] == "revert"} == {
        "stop",
        "network",
    }
