"""A search for the highest rate on the page, in the terminal, in Rally."""

import dataclasses
import re

import pytest

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.report import charts
from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import searches
from rally_magnum_scale.report import series
from rally_magnum_scale.report import table
from tests.unit import factories
from tests.unit.in_bay.stats.simulated_target import Target
from tests.unit.in_bay.stats.simulated_target import search

BOUNDS = {"p50_ms": 20, "p99_ms": 50, "max_error_ratio": 0.001}


def found(target=None, **changes):
    wanted = trials.Search(**{"bounds": BOUNDS, "start_rps": 1_000, **changes})
    return search(wanted, target or Target(10_000))[1]


def a_run(of=None):
    """The records of an iteration with two steps of a search."""
    run = factories.run(factories.plan(1_000, 2_000))
    # No load between two steps: three seconds for the next order.
    moved = tuple(
        dataclasses.replace(one, second=one.second + 3 * (one.step - 1))
        for one in run.windows
    )
    return dataclasses.replace(run, windows=moved, max_rate=of or found())


def a_report(run, **sla):
    workload = factories.workload(
        factories.iteration(of_run=run),
        scenario="MagnumScale.find_max_rate",
        sla={"max_rate": sla or {"min_rps": 9_000}},
        sla_results=(),
    )
    return factories.report(workload)


def test_a_search_in_a_sentence():
    said = searches.sentence(found())
    assert re.match(
        r"Highest rate 9,\d\d\d rps, 2,\d\d\d for each core of the real "
        r"nodes and 4,\d\d\d for each that the pods could use: 9,\d\d\d rps "
        r"offered held in step \d+, a longer step confirmed it\. "
        r"\d+,\d\d\d rps, [\d.]+ % above, did not hold: ",
        said,
    )
    assert said.endswith("steps; the wanted precision was reached.")


def test_a_generator_at_its_limit_is_no_limit_of_the_targets():
    said = searches.sentence(found(Target(100_000, generator_rps=5_000)))
    assert "(the load generator was the limit)" in said
    assert "The targets may serve more." in said


def test_where_nothing_held_no_figure_is_said():
    said = searches.sentence(found(Target(10_000, base_ms=80), min_rps=500))
    assert said.startswith(
        "No highest rate was found: not even 500 rps held: p50 24"
    )
    assert "Highest rate" not in said


def test_a_limit_that_holds_says_that_there_may_be_more():
    said = searches.sentence(found(max_rps=2_000))
    assert said.endswith(
        "3 steps; max_rps holds, so the true rate may be higher."
    )


def test_the_table_has_a_row_for_each_step_and_a_column_for_each_bound():
    answer = found()
    told = searches.grid(answer)
    assert told.head == (
        "Step",
        "Offered",
        "Steady s",
        "Achieved",
        "p50 ms",
        "p99 ms",
        "Errors",
        "Holds",
        "Why",
    )
    assert "p50 at most 20 ms, p99 at most 50 ms, errors at most 0.1 %" in (
        told.caption
    )
    assert [row[0] for row in told.rows] == [
        str(one.step) for one in answer.trials
    ]
    over = next(row for row in told.rows if row[-2] == "no")
    assert over[-1] == "the offered rate was not reached"
    assert told.rows[-1][-2:] == ("yes", "to confirm")


def test_a_closed_loop_and_a_step_that_broke_off_are_told():
    answer = found(start_rps=None)
    first = searches.grid(answer).rows[0]
    assert (first[1], first[-2:]) == ("closed", ("-", "to estimate"))
    wanted = trials.Search(bounds=BOUNDS, start_rps=1_000)
    ordered = rate_search.next_trial(wanted, [])
    broken = rate_search.conclude(wanted, [ordered], [])
    assert searches.grid(broken).rows[0][-2:] == ("broke off", "")
    assert searches.curve(broken) is None
    assert searches.draw(broken, "w") == ""


def test_the_drawing_shows_the_bound_and_both_sides_of_it():
    answer = found()
    drawn = searches.draw(answer, "w1")
    for words in (
        ">p99<",
        ">bound, 50 ms<",
        f">up to {answer.held_rps:,.0f} rps: holds<",
        f">from {answer.failed_rps:,.0f} rps: does not hold<",
    ):
        assert drawn.count(words) == 1
    offers = [rate for rate, _ in searches.curve(answer).spots]
    assert offers == sorted(offers)


def test_the_page_shows_the_search():
    drawn = page.render(a_report(a_run()))
    assert "<h3>Highest rate</h3>" in drawn
    assert "p99 of each step by offered rate" in drawn
    assert drawn.count('id="w1i1-search-d"') == 1
    assert "max_rate <code>min_rps</code>" in drawn
    assert "windows missing" not in drawn
    without = dataclasses.replace(a_run(), max_rate=None)
    assert "<h3>Highest rate" not in page.render(a_report(without))


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_terminal_shows_the_search(width):
    text = table.render(a_report(a_run()), width)
    assert "Highest rate 9," in text
    assert "Search for the highest rate." in text
    assert all(len(line) <= width for line in text.splitlines())


def test_rally_draws_the_search_with_its_own_charts():
    run = a_run()
    first, second, *_ = charts.outputs(run)
    assert first["chart_plugin"] == "Table"
    assert first["description"].startswith("Highest rate 9,")
    assert second["chart_plugin"] == "Lines"
    (p99, spots), (bound, line) = second["data"]
    assert (p99, bound) == ("p99", "bound")
    assert [rate for rate, _ in spots] == sorted(rate for rate, _ in spots)
    assert line == [[spots[0][0], 50], [spots[-1][0], 50]]
    # Rally sums these up by their places: what may be missing comes last.
    *_, last = charts.additive(run)
    assert last["data"] == [["highest rate", run.max_rate.max_rate_rps]]


def test_errors_alone_have_no_curve():
    answer = found(bounds={"max_error_ratio": 0.01})
    assert searches.curve(answer) is None
    run = a_run(answer)
    assert charts.outputs(run)[1]["title"] == "Rate over time"
    assert "of each step by offered rate" not in page.render(a_report(run))


def test_no_window_is_missing_between_two_steps_of_a_search():
    run = a_run()
    assert series.read(run).gaps == ()
    assert len(series.read(dataclasses.replace(run, max_rate=None)).gaps) == 1
    lost = dataclasses.replace(run, windows=run.windows[:5] + run.windows[6:])
    assert len(series.read(lost).gaps) == 1


def test_the_ramp_of_each_step_of_a_search_begins_at_nothing():
    offered = {
        (one.step, one.phase): one.offered_rps
        for one in reversed(series.read(a_run()).points)
        if one.phase == steps.RAMP
    }
    assert offered[(1, steps.RAMP)] == pytest.approx(1_000 / 6)
    assert offered[(2, steps.RAMP)] == pytest.approx(2_000 / 6)


def test_a_search_without_an_answer_fails_its_bound():
    run = a_run(found(Target(10_000, base_ms=80)))
    report = a_report(run)
    (verdict,) = report.workloads[0].verdicts()
    assert not verdict.passed
    assert verdict.value is None
    assert "not even" in verdict.reason
    assert "not even" in table.render(report)
    assert isinstance(report, model.Report)
    assert isinstance(run, records.Run)
