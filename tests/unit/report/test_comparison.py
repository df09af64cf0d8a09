"""A run beside its history, and beside the last run alone."""

import dataclasses

import pytest

from rally_magnum_scale.report import comparison
from tests.unit.report import test_history
from tests.unit.report import test_runs_page

ASK = comparison.Ask()


def two(metric, old, new):
    """Two nights of one metric."""
    return [
        test_history.nightly(
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


@pytest.mark.parametrize("broken", [0, 1, 3])
def test_the_newest_run_that_did_not_break_is_compared_and_named(broken):
    runs = test_runs_page.nights(*[10.0] * 8)
    count = len(runs) - broken
    runs[count:] = [
        dataclasses.replace(one, state="broken") for one in runs[count:]
    ]
    assert comparison.compare_newest(runs, ASK).run == runs[count - 1]
    assert comparison.compare_newest(runs[count:], ASK) is None or not broken
