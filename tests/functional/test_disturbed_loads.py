"""Loads whose targets are updated and whose nodes are lost, for real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import watching
from rally_magnum_scale.task.recovery import run_markers
from tests.functional import conftest
from tests.functional import test_in_bay
from tests.functional import test_machines
from tests.functional import test_tasks

environment = test_in_bay.environment
no_openstack = test_in_bay.no_openstack
connection = test_machines.connection

# Tests run on slow machines too: what is tested is who failed, and why.
LOOSE = {
    "min_rps": 1,
    "min_rps_per_core": 0.01,
    "p50_ms": 5000,
    "p99_ms": 5000,
    "max_create_s": 300,
    "max_nodes_ready_s": 300,
    "max_delete_s": 300,
    "max_pod_start_s": 300,
    "max_update_s": 300,
    "api_bounds": False,
}


def arguments_of(name: str) -> dict[str, Any]:
    found = test_tasks.SAMPLES / "args" / f"{name}.json"
    return {**json.loads(found.read_text()), **LOOSE}


# Kubernetes' own 50 s would make each load so much longer.
NOTICED_EARLY = {"sandbox_node_grace_s": "20"}
UPDATE = {
    **arguments_of("sandbox-rolling-update"),
    "nodes": 4,
    "steps": [{"rate_rps": 600, "duration_s": 24, "ramp_s": 2}],
    "update_at_s": 3,
    "pre_stop_s": 3,
}
FAILURE = {
    **arguments_of("sandbox-node-failure"),
    "nodes": 4,
    "labels": {"sandbox_real_nodes": "3", **NOTICED_EARLY},
    "steps": [{"rate_rps": 300, "duration_s": 55, "ramp_s": 2}],
    "max_error_ratio": 0.5,
    "max_notice_s": 300,
    "max_recovery_s": 300,
}


@pytest.fixture(scope="module")
def kept(
    sandbox: conftest.Sandbox,
    environment: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[test_in_bay.Kept]:
    """A bay of three real nodes that a task made and kept."""
    folder = tmp_path_factory.mktemp("kept")
    labels = {"sandbox_real_nodes": "3", **NOTICED_EARLY}
    with test_in_bay.keeping(
        sandbox, environment, folder, labels=labels
    ) as found:
        yield found


def run_of(ran: test_tasks.Ran) -> records.Run:
    (run,) = ran.runs()
    return run


def assert_holds(ran: test_tasks.Ran) -> None:
    """All bounds hold, but for a generator that the machine held up."""
    assert ran.errors == [], ran.said
    run = run_of(ran)
    assert run.throughput is not None
    assert run.end is not None
    assert run.end.reasons == []
    disturbed = [event.load for event in (*run.updates, *run.faults)]
    assert all(load is not None for load in disturbed)
    reasons = {
        reason
        for load in (*run.throughput.steps, *disturbed)
        if load is not None
        for reason in load.reasons
    }
    assert all(one.startswith("the load generator") for one in reasons)
    if not reasons:
        assert ran.status == 0, ran.said


def failures(run: records.Run) -> dict[str, int]:
    assert run.end is not None
    return run.end.failures


def kinds(run: records.Run) -> list[str]:
    return [str(one["kind"]) for one in run.events]


def ready_nodes(bay: test_in_bay.Kept) -> list[str]:
    with client.connect_kubeconfig(str(bay.kubeconfig)) as cluster:
        found, _ = watching.list_objects(cluster.core.list_node)
    return sorted(n for n, item in found.items() if node_list.is_ready(item))


def wait_for_nodes(bay: test_in_bay.Kept, names: list[str]) -> None:
    wait(f"{len(names)} nodes to be Ready", lambda: ready_nodes(bay) == names)


def wait(what: str, is_so: Callable[[], bool]) -> None:
    waiting.wait_for(
        lambda: is_so() or None,
        what=what,
        deadline_s=120,
        sleep=time.sleep,
    )


def kill_when(
    sandbox: conftest.Sandbox,
    arguments: dict[str, Any],
    environment: str,
    said: Path,
    is_so: Callable[[], bool],
) -> None:
    """Start a load with a fault, and kill Rally at a moment."""
    sample = "node-failure.json"
    with test_tasks.started(
        sandbox, sample, arguments, said, environment
    ) as process:
        try:
            wait("the moment to kill Rally", is_so)
        except exceptions.DeadlineExceeded:
            pytest.fail(said.read_text())
        test_tasks.kill(process)


@pytest.mark.quiet
def test_a_rolling_update_with_the_right_manifest_fails_no_request(
    sandbox: conftest.Sandbox,
) -> None:
    ran = test_tasks.start(sandbox, "rolling-update.json", UPDATE)
    run = run_of(ran)
    assert failures(run) == {}
    assert_holds(ran)
    (update,) = run.updates
    assert update.failure == ""
    assert update.new_ready_s is not None
    assert update.old_gone_s is not None
    # Whoever is told to go serves on for that long.
    assert update.old_gone_s >= 3
    assert update.load is not None
    assert sum(update.versions.values()) == update.load.requests
    assert set(update.versions) == {"1", "2"}
    # Each answer was counted under its version, before and afterwards too.
    for window in run.windows:
        assert sum(window.versions.values()) == window.requests
    first, last = run.windows[0], run.windows[-2]
    assert (set(first.versions), set(last.versions)) == ({"1"}, {"2"})
    assert kinds(run) == ["update_began", "update_ended"]
    assert ran.sla["rolling_update_time"]["success"]
    assert test_tasks.bays(sandbox) == []


def test_a_wrong_manifest_fails_requests_and_nodes_come_back(
    sandbox: conftest.Sandbox, kept: test_in_bay.Kept, no_openstack: str
) -> None:
    """On a bare kubeconfig, with a node that is taken out besides."""
    before = ready_nodes(kept)
    ran = test_tasks.start(
        sandbox,
        "rolling-update.json",
        {
            **UPDATE,
            "kubeconfig": str(kept.kubeconfig),
            "strategy": "Recreate",
            "pre_stop_s": 0,
            "faults": [{"how": "delete", "at_s": 15}],
            "steps": [{"rate_rps": 300, "duration_s": 45, "ramp_s": 2}],
        },
        environment=no_openstack,
    )
    assert ran.status != 0
    assert ran.errors == []
    run = run_of(ran)
    (update,) = run.updates
    assert update.load is not None
    assert sum(update.load.failures.values()) > 0
    assert update.fewest_ready == 0
    assert not ran.sla["request_errors"]["success"]
    assert ran.sla["rolling_update_time"]["success"]
    (fault,) = run.faults
    assert fault.noticed_s is not None
    assert fault.pods_ready_s is not None
    assert fault.targets_lost >= 1
    wait_for_nodes(kept, before)
    assert kept.namespaces() == []


def test_a_node_that_stops_is_noticed_and_started_again(
    sandbox: conftest.Sandbox, kept: test_in_bay.Kept
) -> None:
    """In a bay by its name, which must be as before in the end."""
    before = ready_nodes(kept)
    ran = test_tasks.start(
        sandbox,
        "node-failure.json",
        {
            **FAILURE,
            **test_in_bay.AS_USER,
            "bay": kept.name,
            "faults": [{"how": "stop", "at_s": 3}],
        },
        environment=kept.environment,
    )
    assert_holds(ran)
    (fault,) = run_of(ran).faults
    assert fault.failure == ""
    assert fault.noticed_s is not None
    assert fault.pods_ready_s is not None
    assert fault.noticed_s <= fault.pods_ready_s
    # Nobody answers for a machine without power.
    assert fault.requests_lost
    # Where the machine held up the generator, the time does not count.
    assert fault.recovery_s is not None
    wait_for_nodes(kept, before)
    assert kept.namespaces() == []


def test_a_start_after_a_kill_mends_what_the_killed_runs_had_let_fail(
    sandbox: conftest.Sandbox,
    kept: test_in_bay.Kept,
    no_openstack: str,
    connection: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Node object that was taken out, then a server that was cut off."""
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    before = ready_nodes(kept)

    def all_up() -> bool:
        ports = connection.network.ports()
        return all(port.is_admin_state_up for port in ports)

    kubeconfig = {"kubeconfig": str(kept.kubeconfig)}
    named = {**test_in_bay.AS_USER, "bay": kept.name}
    kill_when(
        sandbox,
        {**FAILURE, **kubeconfig, "faults": [{"how": "delete", "at_s": 1}]},
        no_openstack,
        tmp_path / "first",
        lambda: ready_nodes(kept) != before,
    )
    (first,) = kept.namespaces()

    # The next load in the bay finds it all, however that was opened.
    kill_when(
        sandbox,
        {**FAILURE, **named, "faults": [{"how": "network", "at_s": 1}]},
        kept.environment,
        tmp_path / "second",
        lambda: not all_up(),
    )
    assert len(list((tmp_path / "runs").glob("*.lost"))) == 1
    said = (tmp_path / "second").read_text()
    assert f"Removing the namespace {first} of a dead run" in said
    assert "was restored" in said
    (second,) = kept.namespaces()
    assert second != first

    calm = {**FAILURE, "steps": [{"rate_rps": 100, "duration_s": 3}]}
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**calm, **named, "faults": []},
        environment=kept.environment,
    )
    assert ran.errors == []
    assert f"Removing the namespace {second} of a dead run" in ran.said
    assert all_up()
    wait_for_nodes(kept, before)
    assert kept.namespaces() == []
    assert list((tmp_path / "runs").glob("*.lost")) == []
    assert list((tmp_path / "runs").glob("*.json")) == []


def test_nodes_are_lost_one_after_the_other_in_any_load(
    sandbox: conftest.Sandbox,
) -> None:
    """One is dropped from the network, and the machine of one deleted.

    They lie too close to tell until when the first one failed requests.
    """
    ran = test_tasks.start(
        sandbox,
        "node-failure.json",
        {
            **FAILURE,
            "labels": {"sandbox_real_nodes": "4", **NOTICED_EARLY},
            "targets": 4,
            "steps": [{"rate_rps": 300, "duration_s": 48, "ramp_s": 2}],
            "faults": [
                {"how": "network", "at_s": 3},
                {"how": "delete", "at_s": 6},
            ],
        },
    )
    assert ran.errors == [], ran.said
    run = run_of(ran)
    assert [fault.how for fault in run.faults] == ["network", "delete"]
    for fault in run.faults:
        assert fault.failure == ""
        assert fault.pods_ready_s is not None
    first, second = run.faults
    assert set(first.nodes).isdisjoint(second.nodes)
    assert first.requests_s is None
    assert "the next event began before" in first.reason
    assert second.requests_s is not None, second.reason
    assert not ran.sla["recovery_time"]["success"]
    assert kinds(run).count("node_lost") == 2
    assert kinds(run).count("pods_ready_again") == 2
    assert test_tasks.bays(sandbox) == []
