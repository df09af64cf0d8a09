"""A run beside its history, and beside the last run alone."""

import dataclasses

import pytest

from rally_magnum_scale.history import comparison
from tests.unit.history import test_storage
from tests.unit.report import test_runs_page

ASK = comparison.Ask()


def two(metric, old, new):
    """Two nights of one metric."""
    return [
        test_storage.nightly(
            number, metrics=(dataclasses.replace(metric, value=value),)
        )
        for number, value in enumerate((old, new), 1)
    ]


def beside(metric, old, new, ask=ASK):
    runs = two(metric, old, new)
    return comparison.beside_last(runs[-1], runs, ask)


def test_beside_the_last_run_a_time_is_told_once():
    whole = test_runs_page.METRIC
    each = dataclasses.replace(
        whole, bound_key="max_s_per_node", unit="s/node"
    )
    told = "bay_create_time.max_s: 50% worse, 15 s after 10 s"
    assert beside(whole, 10.0, 15.0) == [told]
    assert beside(each, 10.0, 15.0) == []
    asked = comparison.Ask(metrics=("bay_create_time.max_s_per_node",))
    (said,) = beside(each, 10.0, 15.0, asked)
    assert said.startswith("bay_create_time.max_s_per_node: 50% worse")


def test_beside_a_last_run_of_zero_what_is_more_than_noise_is_told():
    errors = test_runs_page.ERRORS
    told = "request_errors.max_ratio: from 0, 0.3 after 0"
    assert beside(errors, 0.0, 0.3) == [told]
    assert beside(errors, 0.0, 0.0) == []
    assert beside(errors, 0.0, 0.0009) == []
    better = dataclasses.replace(errors, at_least=True)
    assert beside(better, 0.0, 0.3) == []


@pytest.mark.parametrize("state", ["broken", "invalid"])
@pytest.mark.parametrize("spoilt", [0, 1, 3])
def test_the_newest_run_that_counts_is_compared_and_another_is_named(
    spoilt, state
):
    runs = test_runs_page.nights(*[10.0] * 11)
    count = len(runs) - spoilt
    runs[count:] = [
        dataclasses.replace(one, state=state) for one in runs[count:]
    ]
    found = comparison.compare_newest(runs, ASK)
    assert found.run == runs[count - 1]
    assert found.holds is not bool(spoilt)
    assert (found.state == comparison.NOT_COMPARED) is bool(spoilt)
    what = "broke" if state == "broken" else "is invalid"
    said = f"the newest run, task-11/1, {what}, so it is not compared"
    assert (said in found.sentences()) is bool(spoilt)


def test_where_no_run_counts_nothing_is_compared():
    runs = test_runs_page.nights(10.0, 10.0, state="broken")
    found = comparison.compare_newest(runs, ASK)
    assert (found.run, found.state) == (None, comparison.NOT_COMPARED)
    assert not found.holds


def newest(runs, ask=ASK):
    return comparison.compare_run(runs[-1], runs, ask)


def test_learning_counts_only_runs_that_count():
    one = dataclasses.replace(ASK.rules, last=1)
    ask = dataclasses.replace(ASK, rules=one)
    for number in range(8):
        found = newest(test_runs_page.nights(*[10.0] * (number + 1)), ask)
        learning = number < 5
        assert (found.state == comparison.LEARNING) is learning
        said = f"learning ({number} of 5 runs)"
        assert (said in found.sentences()) is learning
    for state, counts in (
        ("holds", True),
        # Its figures are true, and without it the baseline is flattered.
        ("fails", True),
        ("invalid", False),
        ("broken", False),
    ):
        runs = test_runs_page.nights(*[10.0] * 6)
        runs[1] = dataclasses.replace(runs[1], state=state)
        assert (newest(runs, ask).state == comparison.NOT_WORSE) is counts
        assert ("learning (4 of 5 runs)" in newest(runs, ask).sentences()) is (
            not counts
        )


def test_a_run_that_does_not_count_is_no_baseline():
    runs = test_runs_page.nights(*test_runs_page.QUIET, 10.0)
    rules = dataclasses.replace(ASK.rules, last=1, baseline="task-3/1")
    ask = dataclasses.replace(ASK, rules=rules)
    assert newest(runs, ask).state == comparison.NOT_WORSE
    runs[2] = dataclasses.replace(runs[2], state="invalid")
    found = newest(runs, ask)
    assert found.state == comparison.NOT_COMPARED
    assert found.sentences()[0] == (
        "the history has no comparable and valid run task-3/1 to be the "
        "baseline"
    )


def test_a_baseline_that_did_not_measure_the_metric_holds_nothing():
    runs = test_runs_page.nights(*test_runs_page.QUIET, 10.0)
    other = dataclasses.replace(test_runs_page.METRIC, bound_key="other")
    runs[2] = dataclasses.replace(runs[2], metrics=(other,))
    rules = dataclasses.replace(ASK.rules, last=1, baseline="task-3/1")
    found = newest(runs, dataclasses.replace(ASK, rules=rules))
    assert (found.state, found.holds) == (comparison.NOT_COMPARED, False)
    assert "the run task-3/1 did not measure them" in found.sentences()[0]


def with_metrics(run, *keys):
    return dataclasses.replace(
        run,
        metrics=tuple(
            dataclasses.replace(test_runs_page.METRIC, bound_key=key)
            for key in keys
        ),
    )


def test_a_metric_that_vanished_is_never_held():
    runs = test_runs_page.nights(*test_runs_page.QUIET, 10.0)
    runs[3:-1] = [with_metrics(one, "max_s", "other") for one in runs[3:-1]]
    found = newest(runs)
    assert (found.state, found.holds) == (comparison.NOT_COMPARED, False)
    assert found.sentences()[0] == (
        "not measured this time, but in previous runs: bay_create_time.other"
    )
    named = dataclasses.replace(ASK, metrics=("bay_create_time.max_s",))
    assert newest(runs, named).holds
    # Too few had it to be compared.
    few = [*map(with_metrics, runs[3:7], ["max_s"] * 4), *runs[7:]]
    assert newest([*runs[:3], *few]).holds


def test_while_learning_what_all_runs_measured_must_be_measured():
    runs = test_runs_page.nights(10.0, 10.0, 10.0)
    runs[:2] = [with_metrics(one, "max_s", "other") for one in runs[:2]]
    assert newest(runs).state == comparison.NOT_COMPARED
    runs[0] = with_metrics(runs[0], "max_s")
    assert newest(runs).state == comparison.LEARNING


def test_a_metric_that_no_run_of_the_last_50_measured_is_forgotten():
    runs = test_runs_page.nights(*[10.0] * 57)
    runs[:6] = [with_metrics(one, "max_s", "other") for one in runs[:6]]
    assert newest(runs).holds
    assert newest(runs[:-5]).state == comparison.NOT_COMPARED


def test_a_metric_that_does_not_count_is_never_held():
    runs = test_runs_page.nights(*test_runs_page.QUIET, 10.0)
    late = dataclasses.replace(runs[-1].metrics[0], reason="it was late")
    other = dataclasses.replace(runs[-1].metrics[0], bound_key="other")
    runs[-1] = dataclasses.replace(runs[-1], metrics=(late, other))
    found = newest(runs)
    assert (found.state, found.holds) == (comparison.NOT_COMPARED, False)
    assert "1 metric not counted: it was late" in found.sentences()


def test_each_metric_that_is_named_must_be_compared():
    runs = [
        with_metrics(one, "max_s", *["other"] * (number > 7))
        for number, one in enumerate(test_runs_page.nights(*[10.0] * 11), 1)
    ]
    names = ("bay_create_time.max_s", "bay_create_time.other")
    assert newest(runs).state == comparison.NOT_WORSE
    ask = dataclasses.replace(ASK, metrics=names)
    assert newest(runs, ask).state == comparison.LEARNING
    assert "learning (2 of 5 runs)" in newest(runs, ask).sentences()


def test_learning_passes_unless_it_is_said_not_to():
    runs = test_runs_page.nights(10.0, 10.0)
    assert newest(runs).holds
    assert not newest(
        runs, dataclasses.replace(ASK, learning_passes=False)
    ).holds


def test_later_runs_are_no_baseline():
    runs = test_runs_page.nights(*[10.0] * 8)
    found = comparison.compare_run(runs[2], runs, ASK)
    assert "learning (1 of 5 runs)" in found.sentences()
