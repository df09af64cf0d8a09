"""Every sample renders, with and without each set of arguments."""

import inspect
import json
import pathlib

import jinja2.meta
import pytest
import yaml
from rally import api
from rally import exceptions
from rally.task import scenario
from rally.task import sla
from rally.task import task_cfg

from rally_magnum_scale.task.scenarios import load_arguments

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


def workloads_of(name, **arguments):
    text = api._Task(None).render_template(
        task_template=(ROOT / "samples/tasks" / name).read_text(),
        template_dir=str(ROOT),
        **arguments,
    )
    config = task_cfg.TaskConfig(json.loads(text))
    return [w for s in config.subtasks for w in s["workloads"]]


def test_the_published_ladder_is_the_default():
    found = workloads_of("bay-ladder.json")
    assert [w["args"]["nodes"] for w in found] == [200, 300, 500, 1000]
    for workload in found:
        assert {
            name: set(wanted) for name, wanted in workload["sla"].items()
        } == {
            "bay_create_time": {"max_s", "max_s_per_node"},
            "node_ready_time": {"max_s", "max_s_per_node"},
            "bay_delete_time": {"max_s", "max_s_per_node"},
            "failure_rate": {"max"},
        }


def test_a_ladder_has_the_rungs_that_are_asked_for():
    found = workloads_of("bay-ladder.json", ladder=[7], concurrency=3, times=6)
    (workload,) = found
    assert workload["args"]["nodes"] == 7
    assert workload["runner"] == {"times": 6, "concurrency": 3}


def test_the_published_table_of_many_bays_is_the_default():
    found = workloads_of("many-bays.json")
    assert [
        (w["args"]["nodes"], w["runner"]["concurrency"]) for w in found
    ] == [(2, 50), (16, 10), (32, 10), (128, 5), (512, 1), (1000, 1)]
    assert all(
        w["runner"]["times"] == w["runner"]["concurrency"] for w in found
    )


def test_a_ladder_without_rungs_is_refused():
    with pytest.raises(exceptions.InvalidTaskException, match="ladder: it"):
        workloads_of("bay-ladder.json", ladder=[])


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.name)
def test_quotas_can_be_left_to_who_is_no_administrator(task):
    found = workloads_of(task.name, quotas=False, bay_quotas=False, users={})
    for workload in found:
        contexts = workload["contexts"]
        assert not {"quotas@openstack", "bay_quotas@openstack"} & set(contexts)
        assert contexts["users@openstack"] == {}


def arguments_of(workload):
    """The schema of the arguments that its scenario takes, by name."""
    cls = scenario.Scenario.get(workload["name"])
    return cls.get_info()["schema"]["properties"]


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.name)
def test_a_sample_repeats_no_default_of_its_scenario(task):
    for workload in workloads_of(task.name):
        cls = scenario.Scenario.get(workload["name"])
        defaults = inspect.signature(cls.run).parameters
        for name, value in workload["args"].items():
            assert not value or value != defaults[name].default, name


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.name)
def test_extra_args_set_the_other_arguments_of_the_scenario(task):
    for number, workload in enumerate(workloads_of(task.name)):
        others = set(arguments_of(workload)) - set(workload["args"])
        extra = {name: [name, '"'] for name in others}
        changed = workloads_of(task.name, extra_args=extra)[number]
        assert changed["args"] == {**workload["args"], **extra}


def test_the_sample_of_a_locust_file_carries_what_goes_with_one():
    (workload,) = workloads_of("own-locust-file.json")
    given = set(workload["args"])
    assert given >= {"locust_file", "users"}
    assert not given & {*load_arguments.ENGINE_ONLY, "tls"}


def rendered_with(task, text, without):
    """The task as Rally reads it, with a text in place of its arguments."""
    parsed = jinja2.Environment().parse(task.read_text())
    names = jinja2.meta.find_undeclared_variables(parsed) - without
    inside = {
        "extra_args": {text: text},
        "ladder": [text],
        "many": [[1, text]],
        "rounds": 2,
        "sizes": [text],
        "steps": [{"rate_rps": text, "duration_s": 10}],
        "variants": [{"name": text}],
    }
    rendered = api._Task(None).render_template(
        task_template=task.read_text(),
        template_dir=str(ROOT),
        **{name: inside.get(name, text) for name in names},
    )
    return yaml.safe_load(rendered)


def replaced(tree, old, new):
    if isinstance(tree, dict):
        return {
            replaced(key, old, new): replaced(value, old, new)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [replaced(each, old, new) for each in tree]
    return tree.replace(old, new) if isinstance(tree, str) else tree


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.name)
@pytest.mark.parametrize("without", [set(), {"bay", "kubeconfig", "keep_bay"}])
def test_an_argument_with_quotes_stays_a_value(task, without):
    hostile = '"}, "x": 1, {{ a }} \'ü\' </a> \\\n# '
    harmless = rendered_with(task, "harmless", without)
    with_hostile = rendered_with(task, hostile, without)
    assert with_hostile == replaced(harmless, "harmless", hostile)


@pytest.mark.parametrize("name", ["2m-rps.json", "create-and-delete.json"])
def test_a_kept_bay_has_no_time_to_go(name):
    (workload,) = workloads_of(name, keep_bay=True)
    assert workload["args"]["keep_bay"] is True
    assert "bay_delete_time" not in workload["sla"]


@pytest.mark.parametrize(
    ("arguments", "contexts"),
    [
        (
            {},
            {
                "bays@openstack",
                "users@openstack",
                "quotas@openstack",
                "bay_quotas@openstack",
            },
        ),
        ({"bay": "b"}, {"users@openstack"}),
        ({"kubeconfig": __file__}, set()),
    ],
)
def test_a_bay_that_is_there_needs_no_context_of_bays(arguments, contexts):
    (workload,) = workloads_of("throughput-in-bay.json", **arguments)
    assert set(workload["contexts"]) == contexts
    made = "bays@openstack" in contexts
    # Each bay of the context gets its turn.
    count = 2 if made else 1
    assert workload["runner"] == {"times": count, "concurrency": count}
    assert ("bay_create_time" in workload["sla"]) == made
    assert ("node_ready_time" in workload["sla"]) == made


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
    (workload,) = workloads_of("2m-rps.json")
    workload["args"].update(changed)
    errors = scenario.Scenario.validate(
        workload["name"], None, workload, None, vtype="syntax"
    )
    assert errors
    assert any(words in error for error in errors)
