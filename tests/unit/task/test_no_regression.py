"""The criterion that compares a run with a real history file."""

import dataclasses

import jsonschema
import pytest
from rally.common import validation
from rally.task import sla

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.task import output
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.sla import no_regression
from tests.unit.task import test_criterion_plugins
from tests.unit.task import test_results

ASKED = conditions.record("http://keystone (r)", "MagnumScale.throughput", {})
QUIET = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 9.9, 10.0]
DAY_S = 86_400.0


def iteration(create_s, at_s=0.0, asked=ASKED, error=(), **more):
    """An iteration with a bay, and the bodies of other records by kind."""
    bay = test_criterion_plugins.bay(
        create_s=create_s, nodes_ready_s=9.0, delete_s=None
    )
    bodies = {"conditions": asked, "bay": bay, **more}
    found = [
        test_criterion_plugins.SOURCE.envelope(kind, body.to_json())
        for kind, body in bodies.items()
    ]
    return {
        **test_results.iteration(found=found, error=error),
        "timestamp": at_s,
    }


def load(p99_us, reasons=()):
    step = test_criterion_plugins.step(p99=p99_us, reasons=reasons)
    return records.Throughput(1, 1, 2.0, 2.0, [step])


def api(p99_s):
    kinds = {"mutating": {"requests": 500, "p50_s": 0.01, "p99_s": p99_s}}
    return bay_records.ApiLatency(kinds, {})


def remember(path, *iterations, **of_workload):
    """Add a night for each iteration to a history."""
    for number, one in enumerate(iterations):
        work = test_results.workload(
            {**one, "timestamp": number * DAY_S}, **of_workload
        )
        task = test_results.task(work, uuid=f"night-{number}")
        storage.append(path, result_files.runs_of([task]))


@pytest.fixture
def nights(tmp_path):
    """A history of ten quiet nights."""
    path = tmp_path / "history.jsonl"
    remember(path, *map(iteration, QUIET))
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
        "task (1 run), p = 0.0051: noise alone would make a difference this "
        "large in 51 of 10,000 comparisons"
    )
    assert judge(nights, tonight(10.1), last=1)["success"]


def test_one_run_alone_holds_and_is_told(nights):
    result = judge(nights, tonight(13.0))
    assert result["success"]
    assert (
        "suspected, until the next run confirms it: bay_" in result["detail"]
    )


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
    other = conditions.record("another cloud", "MagnumScale.throughput", {})
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
    assert (
        "no comparable and valid run night-3 to be the baseline"
        in result["detail"]
    )


def test_the_first_night_is_learning_and_says_that_there_is_no_file(tmp_path):
    path = tmp_path / "none.jsonl"
    result = judge(path, tonight(10.0))
    assert result["success"]
    assert result["detail"].startswith("learning (0 of 5 runs); ")
    assert f"there is no file {path} yet; unless this" in result["detail"]
    assert result["detail"].endswith(" - Learning")


@pytest.mark.parametrize("known", [0, 1, 3, 4])
def test_the_first_nights_are_learning_and_never_passed(tmp_path, known):
    path = tmp_path / "history.jsonl"
    remember(path, *map(iteration, QUIET[:known]))
    result = judge(path, tonight(10.0), last=1)
    assert result["success"]
    assert f"learning ({known} of 5 runs)" in result["detail"]
    assert "Passed" not in result["detail"]
    result = judge(path, tonight(10.0), last=1, learning_passes=False)
    assert not result["success"]
    assert f"learning ({known} of 5 runs)" in result["detail"]
    assert result["detail"].endswith(" - Failed")


@pytest.mark.parametrize("learning_passes", [True, False])
def test_after_five_runs_it_has_learnt(tmp_path, learning_passes):
    path = tmp_path / "history.jsonl"
    remember(path, *map(iteration, QUIET[:5]))
    ask = {"last": 1, "learning_passes": learning_passes}
    result = judge(path, tonight(10.0), **ask)
    assert result["success"]
    assert "learning" not in result["detail"]
    assert result["detail"].endswith(" - Passed")


def test_an_invalid_run_or_one_that_broke_teaches_nothing(tmp_path):
    path = tmp_path / "history.jsonl"
    remember(path, *map(iteration, QUIET[:6]))
    runs = storage.read(path)
    for state, known in (
        ("holds", None),
        ("fails", None),
        ("invalid", 4),
        ("broken", 4),
    ):
        changed = [dataclasses.replace(one, state=state) for one in runs[:2]]
        storage.append(path, changed)
        detail = judge(path, tonight(10.0), last=1)["detail"]
        learning = f"learning ({known} of 5 runs)"
        assert (learning in detail) is (known is not None), state


def test_a_history_that_is_lost_fails(nights, tmp_path):
    def said(path):
        result = judge(path, tonight(10.0))
        assert not result["success"]
        return result["detail"]

    assert judge(nights, tonight(10.0))["success"]
    missing = tmp_path / "histories" / "history.jsonl"
    assert "there is no folder" in said(missing)
    assert "can't be read" in said(tmp_path)
    for empty in ("", "\n\n"):
        nights.write_text(empty)
        assert f"the history {nights} has no runs" in said(nights)
    nights.write_text("{")
    assert "Line 1 of the history" in said(nights)


def test_without_an_iteration_it_fails(nights):
    result = judge(nights)
    assert not result["success"]
    assert "no iteration was measured" in result["detail"]


@pytest.mark.parametrize("known", [0, 10])
def test_a_run_with_an_iteration_that_failed_fails(tmp_path, known):
    path = tmp_path / "history.jsonl"
    remember(path, *map(iteration, QUIET[:known]))
    failed = tonight(10.0, error=("TimeoutError", "it took too long", "..."))
    for every, said in (
        ([failed], "1 of 1 iterations failed"),
        ([tonight(10.0), failed], "1 of 2 iterations failed"),
        ([failed] * 9 + [tonight(10.0)], "9 of 10 iterations failed"),
    ):
        result = judge(path, *every)
        assert not result["success"]
        assert said in result["detail"]


def test_an_iteration_that_failed_ends_the_hope_at_once():
    failed = tonight(10.0, error=("TimeoutError", "it took too long", "..."))
    criteria = [sla.SLA.get("no_regression")({"history": "h"}) for _ in "123"]
    one, other, third = criteria
    assert one.add_iteration(tonight(10.0))
    assert not other.add_iteration(failed)
    assert not other.add_iteration(tonight(10.0))
    assert not one.merge(other)
    assert third.add_iteration(tonight(10.0))
    assert not third.merge(one)


@pytest.mark.parametrize("known", [1, 3, 10])
def test_a_metric_that_vanished_fails(tmp_path, known):
    path = tmp_path / "history.jsonl"
    with_load = [iteration(one, throughput=load(2000)) for one in QUIET]
    remember(path, *with_load[:known])
    result = judge(path, tonight(10.0))
    assert not result["success"]
    assert (
        "not measured this time, but in previous runs: "
        "request_rate.min_rps step 1 and " in result["detail"]
    )
    assert judge(path, tonight(10.0), metrics=["bay_create_time"])["success"]


@pytest.mark.parametrize("known", [0, 3, 10])
def test_a_step_that_is_invalid_fails(tmp_path, known):
    path = tmp_path / "history.jsonl"
    with_load = [iteration(one, throughput=load(2000)) for one in QUIET]
    remember(path, *with_load[:known])
    late = load(2000, reasons=["the load generator was the limit"])
    for ask in ({}, {"metrics": ["request_latency"]}):
        result = judge(path, tonight(10.0, throughput=late), **ask)
        assert not result["success"]
        assert "not counted: the load generator was" in result["detail"]
    good = tonight(10.0, throughput=load(2000))
    assert judge(path, good)["success"]


def test_a_metric_of_one_iteration_of_several_fails(nights):
    without = tonight(10.0)
    without["output"]["complete"] = []
    result = judge(nights, tonight(10.0), without, last=1)
    assert not result["success"]
    assert "only 1 of 2 iterations measured it" in result["detail"]


def test_without_records_it_fails(nights, tmp_path):
    without = tonight(10.0)
    without["output"]["complete"] = []
    for path in (nights, tmp_path / "none.jsonl"):
        result = judge(path, without)
        assert not result["success"]


def test_a_slow_api_server_is_found_though_a_poll_takes_a_second(tmp_path):
    path = tmp_path / "history.jsonl"
    quick = [
        iteration(one, api_latency=api(0.02 + number % 3 / 1000))
        for number, one in enumerate(QUIET)
    ]
    remember(path, *quick)
    ask = {"metrics": ["api_latency.mutating_p99_s"], "last": 1}
    assert judge(path, tonight(10.0, api_latency=api(0.02)), **ask)["success"]
    result = judge(path, tonight(10.0, api_latency=api(30.0)), **ask)
    assert not result["success"]
    assert "api_latency.mutating_p99_s: 1,4" in result["detail"]


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


def test_before_it_is_compared_a_run_has_not_passed():
    criterion = sla.SLA.get("no_regression")({"history": "h"})
    criterion.add_iteration(tonight(10.0))
    assert criterion.details().endswith(" - Failed")


def test_windows_are_not_kept():
    criterion = sla.SLA.get("no_regression")({"history": "h"})
    criterion.add_iteration(tonight(10.0))
    assert all(not run.windows for run in criterion._runs)
    assert output.read_run(tonight(10.0)).conditions is not None


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "'history' is a required property"),
        ({"history": "h", "across": ["weather"]}, "'weather' is not one of"),
        ({"history": ""}, "'' (is too short|should be non-empty)"),
        ({"history": "h", "last": 0}, "0 is less than the minimum of 1"),
        ({"history": "h", "min_runs": 4}, "4 is less than the minimum of 5"),
        ({"history": "h", "min_change_ratio": -0.1}, "minimum of 0"),
        ({"history": "h", "confidence": 0.4}, "less than the minimum of 0.5"),
        ({"history": "h", "confidence": 1}, "1 is greater than or equal"),
        (
            {"history": "h", "baseline": ""},
            "'' (is too short|should be non-empty)",
        ),
        ({"history": "h", "metrics": ["m", "m"]}, "has non-unique elements"),
        ({"history": "h", "across": ["cloud"] * 2}, "non-unique elements"),
        ({"history": "h", "certainty": 1}, "'certainty' was unexpected"),
        ({"history": "h", "learning_passes": 1}, "1 is not of type 'boolean'"),
    ],
)
def test_a_key_that_can_not_be_right_is_refused(config, why):
    with pytest.raises(jsonschema.ValidationError, match=why):
        jsonschema.validate(
            config, no_regression.NoRegressionCriterion.CONFIG_SCHEMA
        )


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"last": 1},
        {"min_runs": 5},
        {"min_change_ratio": 0},
        {"confidence": 0.5},
        {"baseline": "b"},
        {"metrics": ["m", "n"], "across": ["cloud", "nodes"]},
    ],
    ids=str,
)
def test_the_least_that_a_key_may_be_is_taken(rules):
    schema = no_regression.NoRegressionCriterion.CONFIG_SCHEMA
    jsonschema.validate({"history": "h", **rules}, schema)


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


def test_an_empty_history_is_refused_before_anything_is_created(tmp_path):
    path = tmp_path / "history.jsonl"
    validator = validation.Validator.get("magnum_scale_history")()
    validator.validate(None, None, None, {"history": str(path)})
    path.touch()
    why = f"history: the history {path} has no runs. Give another history"
    with pytest.raises(validation.ValidationError, match=why):
        validator.validate(None, None, None, {"history": str(path)})


def test_rally_refuses_a_task_whose_history_can_not_be_read():
    config = {"history": "/no/such/folder/h"}
    (refusal,) = sla.SLA.validate("no_regression", None, None, config)
    assert "history: there is no folder" in str(refusal)
