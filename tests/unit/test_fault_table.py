"""How a row of the table of faults is read, judged and written."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import model
from tests.fault_table import cases
from tests.fault_table import table

BAY = bay_records.Bay(
    "u-1", "t-1", 1, create_s=7.25, create_resolution_s=4.0, delete_s=2.0
)
CREATED = model.Workload(
    "MagnumScale.create_and_delete_bay",
    sla={"bay_create_time": {"max_s": 60}},
    sla_results=[model.SlaResult("bay_create_time", success=True)],
    iterations=[model.Iteration(1, records.Run(1, bays=(BAY,)))],
)
ROW = table.Row(
    "Magnum answers 503",
    "fault magnum 503",
    table.Outcome(table.TOLERATED, "All 2 bounds hold.", "holds"),
    task_s=12.3,
)


def read(**changes):
    workload = dataclasses.replace(CREATED, **changes)
    return table.read(model.Report([workload]), "the last line")


def failed(message, run=CREATED.iterations[0].run):
    return [model.Iteration(1, run, error=("BayCreateFailed", message))]


def test_a_task_without_an_error_tolerated_the_fault():
    outcome = read()
    assert outcome.did == table.TOLERATED
    assert outcome.create_s == (7.25, 4.0)


def test_an_error_of_an_iteration_ended_it():
    bay = dataclasses.replace(BAY, create_s=None, failure="capacity")
    outcome = read(iterations=failed("No\nhost.", records.Run(1, bays=(bay,))))
    assert outcome == table.Outcome(
        table.FAILED_ITERATION,
        "BayCreateFailed: No host.",
        "broken",
        ("capacity",),
    )


def test_a_context_that_failed_ended_the_task():
    broken = model.ContextResult("users", setup_error=("HttpError", "503"))
    outcome = read(iterations=[], contexts=[broken])
    assert outcome.did == table.FAILED_TASK
    assert outcome.sentence == "HttpError: 503"
    assert outcome.state == "broken"


def test_a_task_that_did_not_end_ended():
    report = model.Report([CREATED], errors=["Rally stored it as crashed."])
    assert table.read(report, "").did == table.FAILED_TASK


def test_a_refused_task_has_only_the_last_line_of_its_output():
    outcome = table.read(model.Report([]), "Validation error: no platform.")
    assert outcome == table.Outcome(
        table.FAILED_TASK, "Validation error: no platform.", "broken"
    )


def test_names_of_one_run_are_not_in_the_page():
    text = (
        "2026-12-01 05:52:38,821 the bay rms-1a2b3c4d-x1y2z3w4 "
        "(0c1f7aa4-b17c-469d-af9f-0c7ee78103ab) "
        "rms-1a2b3c4d-1-load-worker-x_989bcc9055134533adcbef4e0e503a6b "
        "989bcc9055134533adcbef4e0e503a6b"
    )
    assert table.one_line(text) == "TIME the bay NAME (UUID) NAME ID"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"left": ["the bay rms-1"]}, ["the task left the bay rms-1"]),
        ({"missed": ["magnum 503"]}, ["the fault hit nothing: magnum 503"]),
        (
            {"spoils": True},
            ["the verdict holds, although figures are not true"],
        ),
    ],
)
def test_what_is_wrong_with_a_row_fails_the_command(changes, words):
    assert table.objections(dataclasses.replace(ROW, **changes)) == words


@pytest.mark.parametrize("state", ["fails", "invalid", "broken"])
def test_untrue_figures_that_do_not_hold_are_right(state):
    outcome = dataclasses.replace(ROW.outcome, state=state)
    row = dataclasses.replace(ROW, outcome=outcome, spoils=True)
    assert table.objections(row) == []


def test_the_table_has_a_line_for_each_row():
    outcome = dataclasses.replace(
        ROW.outcome, sentence="a | b", failures=("x",), create_s=(7.25, 4.0)
    )
    row = dataclasses.replace(ROW, outcome=outcome)
    head, rule, *lines = table.markdown([ROW, row]).splitlines()
    assert head.startswith("| fault | injected by | outcome |")
    assert rule.count("---") == len(table.COLUMNS)
    assert lines == [
        "| Magnum answers 503 | `fault magnum 503` | tolerated | 12 s | "
        "All 2 bounds hold. | holds |  |  | nothing |",
        "| Magnum answers 503 | `fault magnum 503` | tolerated | 12 s | "
        r"a \| b | holds | `x` | 7.2 s, 4.0 s | nothing |",
    ]


def test_each_case_has_a_name_of_its_own_and_says_how_it_is_injected():
    names = [case.name for case in cases.CASES]
    assert len(set(names)) == len(names)
    for case in cases.CASES:
        assert case.injected_by or "none" in case.name
