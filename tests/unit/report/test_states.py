"""The state of a run is the worst of all sources, and all read that one."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from rally_magnum_scale.history import storage
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.report import page
from rally_magnum_scale.report import states
from rally_magnum_scale.report import table
from tests.unit import factories
from tests.unit.report import test_openmetrics

WHY = "a worker died"
HIGH = 9e6


def with_step(number):
    """Make one step invalid, whether a bound is on it or not."""

    def change(workload):
        def spoil(run):
            steps = list(run.throughput.steps)
            steps[number] = dataclasses.replace(steps[number], reasons=[WHY])
            load = dataclasses.replace(run.throughput, steps=steps)
            return dataclasses.replace(run, throughput=load)

        return of_runs(workload, spoil)

    return change


def of_runs(workload, change):
    iterations = [
        dataclasses.replace(one, run=change(one.run))
        for one in workload.iterations
    ]
    return dataclasses.replace(workload, iterations=iterations)


def invalid_end(workload):
    def spoil(run):
        end = dataclasses.replace(run.end, reasons=[WHY])
        return dataclasses.replace(run, end=end)

    return of_runs(workload, spoil)


def invalid_event(workload):
    load = factories.event_load(reasons=[WHY])
    updates = (factories.update(load=load),)
    return of_runs(
        workload, lambda run: dataclasses.replace(run, updates=updates)
    )


def with_result(name, success):
    def change(workload):
        others = [one for one in workload.sla_results if one.name != name]
        stored = model.SlaResult(name, success, "as Rally says")
        return dataclasses.replace(workload, sla_results=[*others, stored])

    return change


def without_result(name):
    def change(workload):
        left = [one for one in workload.sla_results if one.name != name]
        return dataclasses.replace(workload, sla_results=left)

    return change


def replacing(**changes):
    return lambda workload: dataclasses.replace(workload, **changes)


def failed_iteration(workload):
    first, *rest = workload.iterations
    failed = dataclasses.replace(first, error=("Boom", "it broke", "..."))
    return dataclasses.replace(workload, iterations=[failed, *rest])


def one_more_failed(workload):
    sla = {**workload.sla, "request_latency@default": {"p99_ms": 0.001}}
    return dataclasses.replace(workload, sla=sla)


FAILED = ("Boom", "it broke", "...")
FLAWS = {
    "a bound fails": (storage.FAILS, one_more_failed),
    "Rally alone says it failed": (
        storage.FAILS,
        with_result("request_rate", False),
    ),
    "Rally stored nothing of ours": (
        storage.FAILS,
        without_result("request_rate"),
    ),
    "Rally stored nothing of its own": (
        storage.FAILS,
        without_result("failure_rate"),
    ),
    "one of Rally's own failed": (
        storage.FAILS,
        with_result("failure_rate", False),
    ),
    "Rally stopped it": (storage.FAILS, with_result("aborted_on_sla", False)),
    "the judged step is invalid": (storage.INVALID, with_step(1)),
    "another step is invalid": (storage.INVALID, with_step(0)),
    "the load is invalid": (storage.INVALID, invalid_end),
    "the time of an event is invalid": (storage.INVALID, invalid_event),
    "an iteration failed": (storage.BROKEN, failed_iteration),
    "an iteration is missing": (
        storage.BROKEN,
        replacing(planned_iterations=3),
    ),
    "there are too many": (storage.BROKEN, replacing(planned_iterations=1)),
    "no iteration ran": (storage.BROKEN, replacing(iterations=())),
    "the task did not end": (storage.BROKEN, replacing(ended=False)),
    "a context broke": (
        storage.BROKEN,
        replacing(contexts=[model.ContextResult("b", setup_error=FAILED)]),
    ),
    "a context could not clean up": (
        storage.BROKEN,
        replacing(contexts=[model.ContextResult("b", cleanup_error=FAILED)]),
    ),
}
GOOD = factories.workload(
    factories.iteration(1), factories.iteration(2), planned_iterations=2
)


def flawed(*names):
    workload = GOOD
    # What replaces iterations as a whole comes last.
    for name in sorted(names, key=lambda one: one == "no iteration ran"):
        workload = FLAWS[name][1](workload)
    return workload


def state_of(workload, errors=()):
    report = factories.report(workload, errors=errors)
    (run,) = new_runs.of_report(report)
    assert states.of_task([workload], errors) == run.state
    found = conclusion.conclude([workload], errors)
    assert found.state == conclusion.LOOKS[run.state]
    assert found.sentence == run.sentence
    return run


def test_without_a_flaw_all_holds():
    run = state_of(GOOD)
    assert run.state == storage.HOLDS
    assert all(one.holds for one in run.judged)


@settings(max_examples=40)
@given(strategies.sets(strategies.sampled_from(sorted(FLAWS)), min_size=1))
def test_the_worst_of_all_flaws_decides(names):
    worst = max((FLAWS[one][0] for one in names), key=storage.STATES.index)
    run = state_of(flawed(*names))
    # Why a result is missing where the task or a context broke is told.
    assert run.state == worst, names
    broken = state_of(flawed(*names), errors=["Rally refused the task."])
    assert broken.state == storage.BROKEN


@pytest.mark.parametrize("name", FLAWS)
def test_every_flaw_is_read_by_all(name):
    state, _ = FLAWS[name]
    workload = flawed(name)
    run = state_of(workload)
    seen = test_openmetrics.Seen(run)
    assert seen.values("run_state", **{"is": state}) == [1]
    assert seen.values("run_state", **{"is": "holds"}) == [0]
    ladder = grids.ladder([GOOD, workload])
    at = ladder.head.index("Verdict")
    assert [row[at] for row in ladder.rows] == ["holds", state.upper()]
    closing = table.render(factories.report(workload), width=9999)
    assert closing.splitlines()[-1] == run.sentence
    assert run.sentence.rstrip(".") not in ("All 8 bounds hold", "")
    look = conclusion.LOOKS[state]
    assert look != conclusion.PASS
    html = page.render(factories.report(workload))
    assert f'<div class="banner {look}"><h1>' in html


@pytest.mark.parametrize(
    "name",
    [
        "Rally alone says it failed",
        "Rally stored nothing of ours",
        "an iteration failed",
        "an iteration is missing",
    ],
)
def test_no_bound_holds_for_a_collector_that_holds_by_its_figures_alone(name):
    run = state_of(flawed(name))
    rates = [one for one in run.judged if one.name.startswith("request_rate")]
    assert rates
    assert not any(one.holds for one in rates)
    assert all(one.reason for one in rates)


@pytest.mark.parametrize(
    "names",
    [
        ("request_rate@default",),
        ("request_rate@",),
        ("request_rate", "request_rate@default"),
        ("request_rate@default", "request_rate"),
    ],
)
def test_a_criterion_is_known_by_its_full_name(names):
    sla = {name: {"min_rps": HIGH} for name in names}
    workload = factories.workload(
        sla=sla,
        sla_results=[model.SlaResult("request_rate", False)] * len(names),
    )
    run = state_of(workload)
    assert run.state == storage.FAILS
    assert len(run.judged) == len(names)
    assert "No bound is set" not in run.sentence
    kind = {name: {"min_rps": 1} for name in names}
    stored = [model.SlaResult("request_rate", True)] * len(names)
    holding = dataclasses.replace(workload, sla=kind, sla_results=stored)
    assert state_of(holding).state == storage.HOLDS
    # Of two spellings both must have a result, and both must hold.
    fewer = dataclasses.replace(holding, sla_results=stored[1:])
    assert state_of(fewer).state == storage.FAILS
    last = {**kind, names[-1]: {"min_rps": HIGH}}
    assert state_of(dataclasses.replace(holding, sla=last)).state == "fails"


def test_a_bound_that_holds_beside_one_that_fails_still_holds():
    sla = {"request_rate": {"min_rps": 1, "min_rps_per_core": HIGH}}
    run = state_of(factories.workload(sla=sla))
    assert [one.holds for one in run.judged] == [True, False]


def test_a_result_that_a_broken_task_never_got_is_not_told_again():
    for changes in (
        {"ended": False},
        {"contexts": [model.ContextResult("b", setup_error=FAILED)]},
    ):
        workload = dataclasses.replace(GOOD, sla_results=(), **changes)
        run = state_of(workload)
        assert run.state == storage.BROKEN
        assert "stored no result" not in run.sentence


def test_no_bound_at_all_is_told_and_is_no_failure():
    workload = factories.workload(sla={}, sla_results=())
    assert states.of_workload(workload) == storage.HOLDS
    found = conclusion.conclude([workload])
    assert (found.state, found.sentence) == ("warn", "No bound is set.")


def test_a_task_without_a_workload_is_broken():
    assert states.of_task([]) == storage.BROKEN
