"""Removals go on after a failure, and stop at Ctrl-C."""

import os
import signal

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import plan
from rally_magnum_scale.reap import search
from rally_magnum_scale.task.recovery import run_markers
from tests.unit.task import fake_tenants

RUN, OTHER = "0a1b2c3d", "ffffffff"


def row(remove, action=plan.Action.DELETE, kind=findings.BAY):
    found = findings.Finding(kind, "n", "id", RUN, "form", remove)
    return plan.Decision(found, run_markers.RunState.DEAD, None, action)


def outcomes(*rows):
    log = []
    ended = plan.remove(rows, log.append)
    return [each.outcome for each in ended], log


def failing(error):
    def remove():
        raise error

    return remove


def test_only_what_is_to_be_deleted_is():
    done = []
    rows = [
        row(lambda each=each: done.append(each), each) for each in plan.Action
    ]
    ended, log = outcomes(*rows)
    assert done == [plan.Action.DELETE]
    assert ended == [plan.REMOVED, "", ""]
    assert log == ["removing the bay n"]


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BayDeleteFailed("port in use"),
        exceptions.DeadlineExceeded("Magnum", 1.0),
    ],
)
def test_a_failure_is_told_and_the_others_go_on(error):
    ended, log = outcomes(row(failing(error)), row(lambda: None))
    assert ended == [str(error), plan.REMOVED]
    assert f"could not remove the bay n: {error}" in log


def test_an_interruption_stops_between_two_removals():
    handlers = {s: signal.getsignal(s) for s in interruption.SIGNALS}
    done = []

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append(1)

    try:
        ended, _ = outcomes(row(interrupted), row(lambda: done.append(2)))
    finally:
        # Clears the flag.
        interruption.restore(interruption.install())
    assert ended == [plan.REMOVED, "interrupted"]
    assert done == [1]
    assert {s: signal.getsignal(s) for s in interruption.SIGNALS} == handlers


@pytest.fixture
def rows(cloud):
    """The leftovers of two runs, all to be deleted."""
    cloud.leave(RUN)
    cloud.leave(OTHER)
    login = fake_tenants.credentials(cloud)
    found = search.search({"admin": login}, lambda _: None).objects
    kept = [
        plan.Decision(e, run_markers.RunState.DEAD, None, plan.Action.DELETE)
        for e in found
    ]
    return sorted(kept, key=lambda r: findings.KINDS.index(r.finding.kind))


@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
class TestOnACloud:
    def test_all_of_it_goes(self, cloud, rows):
        ended, _ = outcomes(*rows)
        assert set(ended) == {plan.REMOVED}
        assert cloud.names() == set()

    def check_that_one_bay_stays(self, cloud, rows, words):
        ended, _ = outcomes(*rows)
        failed = [
            each.finding.kind
            for each, outcome in zip(rows, ended, strict=True)
            if outcome != plan.REMOVED
        ]
        assert failed == [findings.BAY, findings.USER, findings.PROJECT]
        assert words in "".join(ended)
        left = cloud.leave(RUN)
        assert {left["bay"], left["user"], left["project"]} <= cloud.names()
        assert not any(OTHER in name for name in cloud.names())

    def test_a_bay_in_delete_failed_keeps_its_project(
        self, cloud, rows, monkeypatch
    ):
        monkeypatch.setattr(lifecycle, "POLL_INTERVAL_S", 0.0)
        cloud.stuck.add(f"rms-{RUN}-aaaaaaaa")
        self.check_that_one_bay_stays(cloud, rows, "port in use")

    def test_a_deletion_has_a_deadline(self, cloud, rows, monkeypatch):
        monkeypatch.setattr(deadlines, "_BASE_S", 0.0)
        monkeypatch.setattr(deadlines, "_DELETE_S_PER_NODE", 0.0)
        cloud.hanging.add(f"rms-{RUN}-aaaaaaaa")
        self.check_that_one_bay_stays(cloud, rows, "Gave up waiting")
