"""What may be deleted: by the state of the run, its age, and a choice."""

import datetime

import pytest

from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import plan
from rally_magnum_scale.task.recovery import run_markers

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
DAY_S = 86400.0
RUN = "0a1b2c3d"
ALIVE, DEAD, UNKNOWN = (
    run_markers.RunState.ALIVE,
    run_markers.RunState.DEAD,
    run_markers.RunState.UNKNOWN,
)
DELETE, KEEP, CHOOSE = (
    plan.Action.DELETE,
    plan.Action.KEEP,
    plan.Action.CHOOSE,
)


class Runs:
    """All runs in one state."""

    def __init__(self, state):
        self._state = state

    def state(self, run):
        return self._state, f"why of {run}"

    def task(self, run):
        return f"task of {run}"


def finding(kind=findings.BAY, age_h=None, run=RUN, kept=False, name="n"):
    created = None
    if age_h is not None:
        created = NOW - datetime.timedelta(hours=age_h)
    return findings.Finding(
        *(kind, name, "id", run, "form", lambda: None),
        created_at=created,
        kept=kept,
    )


def decide(
    *found, state=UNKNOWN, older_than_s=DAY_S, chosen=None, complete=True
):
    rules = plan.DeletionRules(Runs(state), older_than_s, chosen, complete)
    return rules.apply(found, NOW)


@pytest.mark.parametrize("chosen", [None, {RUN}])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("age_h", [None, 0, 1000])
def test_nothing_of_a_live_run_is_deleted(chosen, kept, age_h):
    given = finding(age_h=age_h, kept=kept)
    (row,) = decide(given, state=ALIVE, older_than_s=0, chosen=chosen)
    assert (row.action, row.reason) == (KEEP, f"why of {RUN}")
    assert not row.is_left


@pytest.mark.parametrize(
    ("state", "age_h", "expected"),
    [
        (UNKNOWN, 25, DELETE),
        (UNKNOWN, 24, DELETE),
        (UNKNOWN, 23, KEEP),
        (UNKNOWN, -1, KEEP),
        (UNKNOWN, None, CHOOSE),
        (DEAD, 0, DELETE),
        (DEAD, None, DELETE),
    ],
)
def test_age_protects_unless_the_run_has_ended(state, age_h, expected):
    (row,) = decide(finding(age_h=age_h), state=state)
    assert row.action is expected
    assert row.is_left == (expected is not KEEP)


@pytest.mark.parametrize(
    ("age_h", "expected"), [(25, DELETE), (1, KEEP), (None, DELETE)]
)
def test_a_choice_replaces_an_unknown_age_only(age_h, expected):
    (row,) = decide(finding(age_h=age_h), chosen={RUN})
    assert row.action is expected


@pytest.mark.parametrize(
    ("state", "age_h", "chosen", "expected"),
    [
        (UNKNOWN, 25, None, CHOOSE),
        (UNKNOWN, 1, None, KEEP),
        (UNKNOWN, 25, {RUN}, DELETE),
        (DEAD, 1, None, DELETE),
    ],
)
def test_a_run_may_have_something_newer_that_no_service_showed(
    state, age_h, chosen, expected
):
    (row,) = decide(
        finding(age_h=age_h), state=state, chosen=chosen, complete=False
    )
    assert row.action is expected


@pytest.mark.parametrize("state", [DEAD, UNKNOWN])
def test_a_kept_bay_needs_a_choice(state):
    bay = finding(age_h=1000, kept=True)
    (row,) = decide(bay, state=state)
    assert row.action is CHOOSE
    assert f"--run {RUN}" in row.reason
    (row,) = decide(bay, state=state, chosen={RUN})
    assert row.action is DELETE


def test_the_newest_object_of_a_run_gives_its_age():
    old, user = finding(age_h=100), finding(findings.USER)
    rows = decide(old, user)
    assert [row.action for row in rows] == [DELETE, DELETE]
    rows = decide(old, user, finding(findings.KEYPAIR, age_h=1))
    assert [row.action for row in rows] == [KEEP] * 3
    other = finding(findings.KEYPAIR, age_h=1, run="ffffffff")
    rows = decide(old, user, other)
    assert [row.action for row in rows] == [DELETE, KEEP, DELETE]


def test_only_the_chosen_runs_are_shown():
    rows = decide(finding(), finding(run="ffffffff"), chosen={"ffffffff"})
    assert [row.finding.run for row in rows] == ["ffffffff"]
    assert decide(finding(), chosen=set()) == []


def test_rows_are_in_the_order_of_the_removal():
    rows = decide(*(finding(kind) for kind in reversed(findings.KINDS)))
    assert [row.finding.kind for row in rows] == [*findings.KINDS]
    assert {row.task for row in rows} == {f"task of {RUN}"}


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "0 min"), (1.99, "119 min"), (2, "2 h"), (71, "71 h"), (72, "3 d")],
)
def test_ages_in_words(hours, words):
    assert plan.words(hours * 3600) == words
