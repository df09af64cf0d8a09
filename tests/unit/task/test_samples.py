"""Every sample renders, with and without each set of arguments."""

import json
import pathlib

import pytest
from rally import api
from rally.task import scenario
from rally.task import sla
from rally.task import task_cfg

ROOT = pathlib.Path(__file__).parents[3]
TASKS = sorted((ROOT / "samples/tasks").glob("*.json"))
ARGUMENTS = [None, *sorted((ROOT / "samples/args").glob("*.json"))]


def render(task, arguments):
    values = json.loads(arguments.read_text()) if arguments else {}
    tasks = api._Task(None)
    text = tasks.render_template(
        task_template=task.read_text(), template_dir=str(ROOT), **values
    )
    return json.loads(text)


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize("arguments", ARGUMENTS, ids=str)
def test_a_sample_renders_and_its_plugins_accept_it(task, arguments):
    config = task_cfg.TaskConfig(render(task, arguments))
    workloads = [w for s in config.subtasks for w in s["workloads"]]
    assert workloads
    for workload in workloads:
        errors = scenario.Scenario.validate(
            workload["name"], None, workload, None, vtype="syntax"
        )
        for name, wanted in workload["sla"].items():
            errors += sla.SLA.validate(name, None, None, wanted)
        assert not errors


def test_the_published_run_is_the_default():
    config = task_cfg.TaskConfig(
        render(ROOT / "samples/tasks/2m-rps.json", None)
    )
    (workload,) = config.subtasks[0]["workloads"]
    assert workload["args"]["nodes"] == 200
    assert workload["args"]["steps"][-1]["rate_rps"] > 2_000_000
    assert workload["sla"]["request_rate"] == {
        "min_rps": 2_000_000,
        "min_rps_per_core": 2_500,
    }


def test_the_sandbox_asks_for_99_percent_of_its_offer():
    config = task_cfg.TaskConfig(
        render(
            ROOT / "samples/tasks/2m-rps.json",
            ROOT / "samples/args/sandbox.json",
        )
    )
    (workload,) = config.subtasks[0]["workloads"]
    offered = workload["args"]["steps"][-1]["rate_rps"]
    assert workload["args"]["nodes"] == 200
    assert workload["sla"]["request_rate"]["min_rps"] == 0.99 * offered


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [{"rate_rps": 0, "duration_s": 5}]}, "rate_rps"),
        ({"steps": [{"rate_rps": 5}]}, "duration_s"),
        ({"nodes": 0}, "nodes"),
        ({"nodes": "many"}, "nodes"),
        ({"bay_templat": "x"}, "bay_templat"),
        ({"image_pull_policy": "Sometimes"}, "image_pull_policy"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_before_anything_is_created(changed, words):
    config = task_cfg.TaskConfig(render(TASKS[0], None))
    (workload,) = config.subtasks[0]["workloads"]
    workload["args"].update(changed)
    errors = scenario.Scenario.validate(
        workload["name"], None, workload, None, vtype="syntax"
    )
    assert errors
    assert any(words in error for error in errors)
