"""The criterion that compares a run with a real history file."""

import jsonschema
import pytest
from rally.common import validation
from rally.task import sla

from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import history
from rally_magnum_scale.task import output
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.sla import no_regression
from tests.unit.task import test_criteria
from tests.unit.task import test_results

ASKED = conditions.ask("http://keystone (r)", "MagnumScale.throughput", {})
QUIET = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 9.9, 10.0]
DAY_S = 86_400.0


def iteration(create_s, at_s=0.0, asked=ASKED):
    bay = test_criteria.bay(create_s=create_s, delete_s=None)
    found = [
        test_criteria.SOURCE.envelope("conditions", asked.to_json()),
        test_criteria.SOURCE.envelope("bay", bay.to_json()),
    ]
    return {
        **test_results.iteration(found=found),
        "timestamp": at_s,
    }


@pytest.fixture
def nights(tmp_path):
    """A history of ten quiet nights."""
    path = tmp_path / "history.jsonl"
    for number, create_s in enumerate(QUIET):
        work = test_results.workload(iteration(create_s, number * DAY_S))
        task = test_results.task(work, uuid=f"night-{number}")
        history.append(path, result_files.runs_of([task]))
    return path


def judge(path, *iterations, **config):
    criterion = sla.SLA.get("no_regression")({"history": str(path), **config})
    for one in iterations:
        criterion.add_iteration(one)
    return criterion.result()


def tonight(create_s, **changes):
    return iteration(create_s, 20 * DAY_S, **changes)


def test_what_got_worse_fails(nights):
    result = judge(nights, tonight(13.0), last=1)
    assert not result["success"]
    assert result["detail"].startswith(
        "worse: bay_create_time.max_s: 30% worse, 13 s after 10 s, since run "
        "task (1 run), 99.48% sure"
    )
    assert judge(nights, tonight(10.1), last=1)["success"]


def test_one_run_alone_holds_and_is_told(nights):
    result = judge(nights, tonight(13.0))
    assert result["success"]
    assert "suspected, till the next run confirms it: bay_" in result["detail"]


def test_only_what_is_asked_for_is_compared(nights):
    ask = {"last": 1, "metrics": ["node_ready_time"]}
    assert judge(nights, tonight(13.0), **ask)["success"]
    for name in (
        "bay_create_time",
        "bay_create_time.max_s",
        "bay_create_time.max_s_per_node",
    ):
        ask["metrics"] = [name]
        assert not judge(nights, tonight(13.0), **ask)["success"]
    ask["metrics"] = ["bay_delete_time"]
    result = judge(nights, tonight(10.0), **ask)
    assert not result["success"]
    assert "bay_delete_time was not measured" in result["detail"]


def test_runs_under_other_conditions_are_not_compared(nights):
    other = conditions.ask("another cloud", "MagnumScale.throughput", {})
    result = judge(nights, tonight(13.0, asked=other), last=1)
    assert result["success"]
    assert "metrics not compared: 0 runs to compare with" in result["detail"]
    ask = {"last": 1, "across": ["cloud"]}
    assert not judge(nights, tonight(13.0, asked=other), **ask)["success"]


def test_a_chosen_run_is_compared_with(nights):
    ask = {"baseline": "night-3/1", "last": 1}
    assert not judge(nights, tonight(20.0), **ask)["success"]
    assert judge(nights, tonight(10.0), **ask)["success"]
    ask["baseline"] = "night-3"
    result = judge(nights, tonight(10.0), **ask)
    assert not result["success"]
    assert "no comparable run night-3 to be the baseline" in result["detail"]


def test_the_first_night_holds_and_says_that_there_is_nothing_yet(tmp_path):
    result = judge(tmp_path / "none.jsonl", tonight(10.0))
    assert result["success"]
    assert "metrics not compared: 0 runs to compare with" in result["detail"]


def test_without_data_or_with_a_broken_history_it_fails(nights):
    result = judge(nights)
    assert not result["success"]
    assert "no iteration was measured" in result["detail"]
    nights.write_text("{")
    result = judge(nights, tonight(10.0))
    assert not result["success"]
    assert "Line 1 of the history" in result["detail"]


def test_what_several_processes_saw_is_put_together(nights):
    config = {"history": str(nights), "last": 1}
    one, other = (sla.SLA.get("no_regression")(config) for _ in range(2))
    one.add_iteration(tonight(10.0))
    for create_s in (13.0, 13.1):
        other.add_iteration(tonight(create_s))
    assert other.merge(one)
    # The median of three iterations is one of the two slow ones.
    assert not other.result()["success"]
    assert one.result()["success"]


def test_windows_are_not_kept():
    criterion = sla.SLA.get("no_regression")({"history": "h"})
    criterion.add_iteration(tonight(10.0))
    assert all(not run.windows for run in criterion._runs)
    assert output.read_run(tonight(10.0)).asked is not None


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "'history' is a required property"),
        ({"history": "h", "across": ["weather"]}, "'weather' is not one of"),
        ({"history": "h", "min_runs": 4}, "4 is less than the minimum of 5"),
        ({"history": "h", "confidence": 1}, "1 is greater than or equal"),
        ({"history": "h", "certainty": 1}, "'certainty' was unexpected"),
    ],
)
def test_a_key_that_can_not_be_right_is_refused(config, why):
    with pytest.raises(jsonschema.ValidationError, match=why):
        jsonschema.validate(config, no_regression.NoRegression.CONFIG_SCHEMA)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"history": "/no/such/folder/h"}, "history: there is no folder"),
        ({"history": "/"}, "history: The history / can't be read"),
    ],
)
def test_a_history_that_can_not_be_compared_with_is_refused(config, why):
    validator = validation.Validator.get("magnum_scale_history")()
    with pytest.raises(validation.ValidationError, match=why):
        validator.validate(None, None, None, config)
