"""Faults of nodes under a load: injection, recovery and revert."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.runs import faults
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload.load_spec import Deadlines
from tests.unit.runs import controlled_disruption
from tests.unit.runs.controlled_disruption import node
from tests.unit.runs.controlled_disruption import pod

NODES = [
    node_list.Node(f"n{number}", True, False, 4.0) for number in (1, 2, 3)
]


class FakeInjector:
    def __init__(self, error=None):
        self.error = error
        self.done = []

    def fail(self, one, how):
        self.done.append(("fail", one.name, how))
        if self.error:
            raise self.error

    def revert(self, one, how):
        self.done.append(("revert", one.name, how))
        return how != "delete"


def names(nodes):
    return [one.name for one in nodes]


class Stubbed:
    """A cluster of which only its methods are named."""

    class core:  # noqa: N801
        list_namespaced_pod = None
        list_node = None


def fault_of(
    how="network", *, count=1, number=1, controlled=None, injector=None
):
    controlled = controlled or controlled_disruption.ControlledContext(Stubbed)
    wanted = events.NodeFault(how=how, nodes=count)
    injector = injector or FakeInjector()
    return (
        controlled,
        faults.NodeFaultDisruption(
            controlled.context, wanted, number, injector
        ),
        injector,
    )


def fault_on_n1(**options):
    controlled, fault, injector = fault_of(**options)
    lost = NODES[: options.get("count", 1)]
    fault.prepare(faults.EligibleNodes(lost, []), lost[:])
    controlled.move(
        0,
        pods=[pod("a", "n1"), pod("b", "n2")],
        nodes=[node("n1"), node("n2")],
    )
    controlled.now = 10.0
    return controlled, fault, injector


def recover(controlled, fault):
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: fault.began_at is not None)
        controlled.move(50, nodes=[node("n1", ready=False), node("n2")])
        # Kubernetes may still call the dead pod Ready.
        controlled.move(51, pods=[pod("a", "n1"), pod("b", "n2")])
        controlled.move(55, pods=[pod("b", "n2"), pod("c", "n2", ready=False)])
        controlled.move(58, pods=[pod("b", "n2"), pod("c", "n2")])
        running.over()
    assert running.error is None


def test_a_fault_is_over_when_as_many_targets_serve_on_other_nodes():
    controlled, fault, injector = fault_on_n1()
    recover(controlled, fault)
    record = fault.record
    assert record.nodes == ["n1"]
    assert (record.noticed_s, record.pods_ready_s) == (40.0, 48.0)
    assert injector.done == [("fail", "n1", "network")]
    assert [kind for _, kind, _ in controlled.context.happened] == [
        "node_lost",
        "node_noticed",
        "pods_ready_again",
    ]


class SlowInjector(FakeInjector):
    """Has its requests accepted only after some seconds.

    :param controlled: has the clock
    """

    def __init__(self, controlled):
        super().__init__()
        self._controlled = controlled

    def fail(self, one, how):
        self._controlled.now += 3.0
        super().fail(one, how)


def test_the_time_until_a_fault_is_injected_is_part_of_its_resolution():
    controlled = controlled_disruption.ControlledContext(Stubbed)
    _, fault, _ = fault_on_n1(
        controlled=controlled, injector=SlowInjector(controlled)
    )
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: fault.record.begun_within_s is not None)
        away = [node("n1", ready=False), node("n2")]
        controlled.move(50, nodes=away, late_s=1.5)
        served = [pod("b", "n2"), pod("c", "n2")]
        controlled.move(58, pods=served, late_s=0.5)
        running.over()
    record = fault.record
    assert (record.noticed_s, record.noticed_resolution_s) == (40.0, 4.5)
    assert (record.pods_ready_s, record.pods_ready_resolution_s) == (48.0, 3.5)
    concluded = fault.conclude(
        controlled_disruption.results_of(
            [
                controlled_disruption.window(12, failures={"reset": 1}),
                controlled_disruption.window(13),
            ]
        )
    )
    assert (concluded.requests_s, concluded.requests_resolution_s) == (
        3.0,
        3.0,
    )


def test_a_node_that_is_gone_is_noticed():
    controlled, fault, _ = fault_on_n1(how="delete")
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: fault.began_at is not None)
        controlled.move(12, nodes=[node("n2")])
        running.until(lambda: fault.record.noticed_s is not None)
    assert fault.record.noticed_s == 2.0


def test_requests_that_fail_after_all_pods_are_ready_set_the_recovery():
    controlled, fault, _ = fault_on_n1()
    recover(controlled, fault)
    windows = [
        controlled_disruption.window(
            second, failures={"timeout": 2} if fails else {}
        )
        for second, fails in (
            *((9, True), (10, False), (20, True)),
            *((59, True), (60, False)),
        )
    ]
    record = fault.conclude(controlled_disruption.results_of(windows))
    assert (record.requests_s, record.requests_lost) == (50.0, 4)
    assert record.recovery_s == 50.0
    assert record.ended_s == 1060.0
    assert record.load.failures == {"timeout": 4}


def test_failures_to_the_end_of_the_load_leave_the_recovery_time_unknown():
    controlled, fault, _ = fault_on_n1()
    recover(controlled, fault)
    failing = {"timeout": 2}
    windows = [
        controlled_disruption.window(58, failures=failing),
        controlled_disruption.window(59, failures=failing, phase="stop"),
    ]
    record = fault.conclude(controlled_disruption.results_of(windows))
    assert (record.requests_s, record.recovery_s) == (None, None)
    assert "still failed when the load ended" in record.reason
    assert record.requests_lost == 4


def test_failures_after_the_next_event_do_not_count_for_the_first():
    controlled, fault, _ = fault_on_n1()
    recover(controlled, fault)
    windows = [
        controlled_disruption.window(
            second, failures={"reset": 1} if fails else {}
        )
        for second, fails in ((30, True), (59, False), (70, True))
    ]
    record = fault.conclude(
        controlled_disruption.results_of(windows, until_s=1065.0)
    )
    assert (record.requests_s, record.requests_lost) == (21.0, 1)


def test_events_closer_than_the_timeout_have_no_recovery_time():
    controlled, fault, _ = fault_on_n1()
    recover(controlled, fault)
    windows = [
        controlled_disruption.window(second) for second in (10, 11, 12, 19)
    ]
    # The next began when nothing could have timed out, which takes 10 s.
    record = fault.conclude(
        controlled_disruption.results_of(windows, until_s=1019.5)
    )
    assert (record.requests_s, record.recovery_s) == (None, None)
    assert "the next event began before" in record.reason
    assert "10 s (timeout_s)" in record.reason


def test_a_fault_without_recovery_ends_at_its_deadline():
    controlled = controlled_disruption.ControlledContext(
        Stubbed, deadlines=Deadlines(recover_s=60)
    )
    controlled, fault, _ = fault_on_n1(controlled=controlled)
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: fault.began_at is not None)
        controlled.move(50, nodes=[node("n1", ready=False)])
        running.until(lambda: fault.record.noticed_s is not None)
        controlled.move(71, pods=[pod("b", "n2")])
        running.over_late(controlled)
    assert isinstance(running.error, exceptions.DeadlineExceeded)
    assert "on other nodes after" in str(running.error)
    assert "1 of 2 Ready" in str(running.error)


def test_two_faults_do_not_count_pods_on_each_other_s_nodes():
    controlled, fault, _ = fault_on_n1()
    controlled.context.lost.add("n3")
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: fault.began_at is not None)
        controlled.move(12, nodes=[])
        controlled.move(13, pods=[pod("b", "n2"), pod("c", "n3")])
        running.until(lambda: fault.record.noticed_s is not None)
        assert fault.record.pods_ready_s is None


def test_a_fault_is_reverted_once_even_if_its_injection_was_refused():
    error = exceptions.BayError("no")
    _, fault, injector = fault_on_n1(injector=FakeInjector(error))
    with controlled_disruption.RunningDisruption(fault) as running:
        running.over()
    assert running.error is error
    fault.revert()
    fault.revert()
    # It may have been done although the answer was lost.
    assert injector.done == [
        ("fail", "n1", "network"),
        ("revert", "n1", "network"),
    ]


def test_eligible_are_nodes_with_the_most_targets_and_no_generator():
    eligible = faults.EligibleNodes(NODES, [pod("w", "n1")])
    held = {"n1": 1, "n2": 1, "n3": 2}
    assert names(eligible.holding(held)) == ["n3", "n2"]
    assert names(eligible.take(1, held)) == ["n3"]
    assert names(eligible.take(2, held)) == ["n2"]


def test_faults_take_different_nodes_and_raise_when_there_are_too_few():
    controlled, first, _ = fault_of()
    _, second, _ = fault_of(number=2, count=2, controlled=controlled)
    eligible, candidates = faults.EligibleNodes(NODES, []), NODES[:2]
    first.prepare(eligible, candidates)
    with pytest.raises(
        exceptions.WorkloadError, match=r"faults\[1\]: .* 2 nodes"
    ):
        second.prepare(eligible, candidates)


def test_a_fault_takes_the_nodes_that_run_targets_when_it_begins():
    controlled, fault, injector = fault_of()
    fault.prepare(faults.EligibleNodes(NODES, []), NODES[:])
    # By now an update has controlled them.
    controlled.move(
        0,
        pods=[pod("a", "n3"), pod("b", "n3"), pod("c", "n1", ready=False)],
        nodes=[node("n1"), node("n3")],
    )
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: injector.done)
    assert (fault.record.nodes, fault.record.targets_lost) == (["n3"], 2)


def test_a_fault_that_finds_no_targets_is_not_injected():
    controlled, fault, injector = fault_of()
    fault.prepare(faults.EligibleNodes(NODES, []), NODES[:])
    controlled.move(0, pods=[pod("a", "n1", going=True)], nodes=[node("n1")])
    with controlled_disruption.RunningDisruption(fault) as running:
        running.over()
    assert isinstance(running.error, exceptions.WorkloadError)
    assert "only 0 more run targets" in str(running.error)
    assert (injector.done, fault.began_at) == ([], None)


def test_no_further_node_fails_after_the_load_has_stopped():
    controlled, fault, injector = fault_on_n1(count=2)

    def stop(one, how):
        injector.done.append(one.name)
        controlled.context.stopped.set()

    injector.fail = stop
    with controlled_disruption.RunningDisruption(fault) as running:
        running.over()
    assert isinstance(running.error, disruption.Stopped)
    assert injector.done == ["n1"]


def test_each_node_of_a_fault_is_reverted_and_retried_if_that_failed():
    controlled, fault, injector = fault_on_n1(count=2, how="stop")
    with controlled_disruption.RunningDisruption(fault) as running:
        running.until(lambda: len(injector.done) == 2)
    injector.done.clear()
    revert, stubborn = injector.revert, {"n1", "n2"}

    def refuse(one, how):
        revert(one, how)
        if one.name in stubborn:
            raise exceptions.BayError(f"{one.name} stays")
        return True

    injector.revert = refuse
    with pytest.raises(exceptions.BayError, match="n1 stays"):
        fault.revert()
    stubborn.discard("n2")
    with pytest.raises(exceptions.BayError, match="n1 stays"):
        fault.revert()
    stubborn.clear()
    fault.revert()
    fault.revert()
    assert [name for _, name, _ in injector.done] == [
        *("n1", "n2"),
        *("n1", "n2"),
        "n1",
    ]
    assert fault.reverted == {"n1", "n2"}
