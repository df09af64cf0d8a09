import dataclasses

import pytest

from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from tests.unit import factories

SLA = {**factories.GOOD_SLA, "bay_create_time": {"max_s": 1}}
FAILING = factories.report(factories.workload(sla=SLA))


def line_with(text, *words):
    return next(
        line
        for line in text.splitlines()
        if all(word in line for word in words)
    )


def test_each_bound_has_a_line_with_its_figures():
    text = table.render(FAILING, width=110)
    line = line_with(text, "bay_create_time")
    assert line.split() == (
        [
            "FAILS",
            "bay_create_time",
            "max_s",
            "12.4",
            "s",
            "<=",
            "1",
            "-11.4",
            "s",
            "-1,140",
            "%",
        ]
    )
    assert line_with(text, "min_rps ").startswith("holds")
    assert "holds  failure_rate: Failure rate" in text


def test_it_closes_with_the_verdict_in_words():
    last = table.render(FAILING, width=200).splitlines()[-1]
    assert last == (
        "1 of 8 bounds does not hold; bay_create_time max_s: 12.4 s where "
        "at most 1 s was asked for (1,140 % off)."
    )


def test_columns_are_aligned():
    lines = table.render(FAILING, width=110).splitlines()[2:10]
    head = lines[0]
    # Figures end where their heading ends.
    for name, figure in (("Measured", "12.4 s"), ("Asked for", "<= 1")):
        line = line_with("\n".join(lines), "bay_create_time")
        end = head.index(name) + len(name)
        assert line[:end].endswith(figure)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    report = factories.report(
        factories.workload(sla=SLA), factories.failed_create()
    )
    for line in table.render(report, width).splitlines():
        assert table.display_width(line) <= width


def test_reasons_stand_below_once():
    run = factories.run(reasons=["worker rms-worker-2 died"])
    text = table.render(
        factories.report(factories.workload(factories.iteration(of_run=run))),
        width=300,
    )
    assert line_with(text, "min_rps ").startswith("INVALID")
    assert text.count("- request_rate min_rps, request_rate min_rps") == 1
    assert "request_errors max_ratio: worker rms-worker-2 died." in text
    assert line_with(text, "20,000 ", "19,8").endswith("NO")


def test_missing_data_are_told_with_the_error():
    text = table.render(factories.report(factories.failed_create()), 300)
    assert line_with(text, "min_rps ").startswith("NO DATA")
    assert "Failed: BayCreateFailed: Magnum could not create" in text
    assert "not created; nodes not all Ready; deleted in 3.2 s" in text


def test_the_life_of_the_bay_and_the_steps_are_there():
    text = table.render(FAILING, width=200)
    assert (
        "Bay of 200 nodes: 1 real and 199 hollow; created in 12.4 s; all "
        "nodes Ready after 14.1 s; deleted in 3.2 s; 0.0705 s a node; p50 "
        "9.1 s, p90 12.2 s, p99 13.8 s (exact to 1 s); polled every 1 s; the "
        "plugin used 136.3 MB at most."
    ) in " ".join(text.split())
    assert line_with(text, "10,000", "9,930").endswith("yes")


def test_an_empty_sla_is_told():
    report = factories.report(factories.workload(sla={}, sla_results=()))
    text = table.render(report)
    assert "The SLA section asks for nothing." in text
    assert text.endswith("No bound was asked for.\n")


def test_a_task_without_workload_is_told():
    text = table.render(factories.report(workloads=()))
    assert "the task holds no workload" in text


def test_iterations_are_numbered_where_there_are_several():
    text = table.render(
        factories.report(
            factories.workload(factories.iteration(1), factories.iteration(2))
        )
    )
    assert "\nIteration 1\n" in text
    assert "\nIteration 2\n" in text


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)]
)
def test_width_is_that_of_the_terminal(text, columns):
    assert table.display_width(text) == columns


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        (None, "the targets were not asked"),
        (1234, "against the 1,234 that the targets counted"),
        (factories.run().end.requests, "as many as the"),
    ],
)
def test_requests_stand_beside_what_the_targets_counted(counted, told):
    run = factories.run()
    load = dataclasses.replace(
        run.throughput, requests_counted_by_targets=counted
    )
    seen = dataclasses.replace(run, throughput=load)
    report = factories.report(
        factories.workload(iterations=[model.Iteration(1, seen)])
    )
    expected = f"{run.end.requests:,} answered as expected"
    for text in (table.render(report, width=200), page.render(report)):
        assert expected in text
        assert told in text
