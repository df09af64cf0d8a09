"""What a task file says that it will create."""

import json
import pathlib

import pytest
from rally import api

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import drivers
from rally_magnum_scale.preflight import task_file
from tests.unit.preflight import fake_bay

ROOT = pathlib.Path(__file__).parents[3]
SAMPLES = ROOT / "samples/tasks"


class Api:
    """As much of Rally's API as renders a task; it has no database."""

    task = api._Task(None)


def read(sample, projects=0, **arguments):
    config = task_file.load(
        Api, SAMPLES / f"{sample}.json", None, json.dumps(arguments)
    )
    return task_file.read(config, projects)


def task(tmp_path, scenario, args, runner=None, contexts=None):
    workload = {
        "title": "w",
        "scenario": {f"MagnumScale.{scenario}": args},
        "contexts": contexts or {},
        **({"runner": runner} if runner else {}),
    }
    written = {"version": 2, "title": "t", "subtasks": [workload]}
    path = tmp_path / "task.json"
    path.write_text(json.dumps(written))
    return task_file.load(Api, path, None, None)


def bays(config, projects=0):
    (workload,) = task_file.read(config, projects)
    (found,) = workload.bays
    return found.at_least, found.at_most


def test_the_published_run():
    (workload,) = read("2m-rps")
    (bays,) = workload.bays
    assert (bays.request.nodes, bays.request.masters) == (200, 1)
    assert (bays.at_least, bays.at_most, bays.replaced) == (1, 1, 0)
    assert workload.quotas["nova", "cores"] == -1
    assert workload.quotas["magnum", "bays"] == 100
    assert workload.new_projects == 1
    assert workload.workers == 200
    assert workload.name == "MagnumScale.throughput"


def test_each_workload_has_its_own_bays():
    plans = read("bay-ladder", ladder=[5, 9])
    assert [each.bays[0].request.nodes for each in plans] == [5, 9]
    assert plans[1].name == "MagnumScale.create_and_delete_bay (2 of 2)"


def test_a_bay_counts_with_the_most_nodes_that_it_gets():
    (workload,) = read("resize-bay")
    assert workload.bays[0].request.nodes == 1000


@pytest.mark.parametrize(
    ("arguments", "replaced"),
    [({"count": 6}, 6), ({"count": 6, "batch": 2}, 2), ({"share": 0.5}, 10)],
)
def test_replaced_nodes_may_exist_besides(arguments, replaced):
    (workload,) = read("replace-nodes", nodes=20, **arguments)
    assert workload.bays[0].replaced == replaced


def test_bays_of_the_context():
    groups = [{"nodes": 3, "count": 2}, {"nodes": 4, "flavor": "large"}]
    (workload,) = read("throughput-in-bay", bays={"bays": groups})
    found = [(each.request.nodes, each.at_least) for each in workload.bays]
    assert found == [(3, 2), (4, 1)]
    assert workload.bays[1].request.flavor == "large"


def test_a_load_in_an_existing_bay():
    (workload,) = read("throughput-in-bay", bay="mine", workers=7)
    assert workload.bays == ()
    load = workload.load
    assert (load.bay, load.kubeconfig) == ("mine", None)
    counts = [(each.component, each.count, each.surge) for each in load.pods]
    assert counts == [("target", 20, 0), ("worker", 7, 0), ("master", 1, 0)]
    assert (load.at_least, load.at_most) == (1, 1)
    flags = (
        load.secrets,
        load.pull_ahead,
        load.updated,
        load.removes_nodes,
        load.spread_required,
    )
    assert not any(flags)


@pytest.fixture
def kubeconfig(tmp_path):
    return fake_bay.kubeconfig(tmp_path / "config", "http://127.0.0.1:1")


def test_the_options_of_a_load_in_an_existing_bay(kubeconfig, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"auths": {"r": {"auth": "dTpw"}}}')
    (workload,) = read(
        "throughput-in-bay",
        kubeconfig=kubeconfig,
        concurrency=2,
        times=4,
        pull_ahead=True,
        image_pull_secret_file=str(secret),
        pods={"worker": {"requests": {"cpu": "1"}}},
        extra_args={"spread": "required", "kubeconfig_context": "bay"},
    )
    load = workload.load
    assert (load.bay, load.kubeconfig) == (None, kubeconfig)
    assert load.kubeconfig_context == "bay"
    assert (load.at_least, load.at_most) == (2, 2)
    assert load.pods[1].options.requests == {"cpu": "1"}
    assert load.pull_ahead
    assert load.secrets
    assert load.spread_required


@pytest.mark.parametrize(
    ("arguments", "surge"),
    [
        ({"max_surge": "25%"}, 3),
        ({"max_surge": 4}, 4),
        ({"strategy": "Recreate"}, 0),
    ],
)
def test_an_update_may_add_targets(arguments, surge):
    (workload,) = read("rolling-update", bay="b", targets=10, **arguments)
    assert workload.load.updated
    assert [each.surge for each in workload.load.pods] == [surge, 0, 0]


def test_only_a_kubeconfig_removes_node_objects(kubeconfig):
    (workload,) = read("node-failure", bay="b")
    assert not workload.load.removes_nodes
    (workload,) = read("node-failure", kubeconfig=kubeconfig, how="delete")
    assert workload.load.removes_nodes


@pytest.mark.parametrize("sample", ["max-rate", "2m-rps", "throughput-in-bay"])
def test_a_load_in_a_bay_of_the_task_is_not_compared(sample):
    (workload,) = read(sample)
    assert workload.load is None
    assert workload.bays


def test_a_load_with_wrong_pods_is_refused():
    with pytest.raises(exceptions.InvalidInput, match=r"requests\.cpu"):
        read("max-rate", bay="b", pods={"worker": {"requests": {"cpu": "x"}}})


@pytest.mark.parametrize(
    ("sample", "arguments", "capabilities"),
    [
        ("2m-rps", {}, ()),
        ("resize-bay", {}, (drivers.RESIZE,)),
        (
            "resize-bay",
            {"extra_args": {"nodegroup": "gpu"}},
            (drivers.RESIZE, drivers.RESIZE_NODE_GROUP),
        ),
        ("replace-nodes", {}, (drivers.REPLACE_NODES,)),
    ],
)
def test_what_the_driver_must_be_able_to_do(sample, arguments, capabilities):
    (workload,) = read(sample, **arguments)
    assert workload.bays[0].capabilities == capabilities


def test_templates_of_the_context():
    first, _ = read("compare-templates")
    (template,) = first.templates
    assert template.name == first.bays[0].request.template == "local-disk"


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        (None, (1, 1)),
        ({"serial": {"times": 5}}, (1, 1)),
        ({"constant": {"times": 2, "concurrency": 9}}, (2, 2)),
        ({"constant_for_duration": {"concurrency": 3, "duration": 9}}, (3, 3)),
        ({"rps": {"times": 5, "rps": 1}}, (1, 5)),
        ({"rps": {"times": 5, "rps": 1, "max_concurrency": 2}}, (1, 2)),
    ],
)
def test_bays_at_once(tmp_path, runner, expected):
    made = task(tmp_path, "create_and_delete_bay", {"nodes": 1}, runner)
    assert bays(made) == expected


def test_kept_bays_add_up(tmp_path):
    args = {"nodes": 1, "keep_bay": True}
    runner = {"constant": {"times": 7, "concurrency": 2}}
    made = task(tmp_path, "create_and_delete_bay", args, runner)
    assert bays(made, projects=2) == (4, 7)


@pytest.mark.parametrize(
    ("users", "projects", "new"),
    [
        (None, 0, 1),
        ({}, 0, 1),
        (None, 2, 0),
        ({"user_choice_method": "random"}, 2, 0),
        ({"tenants": 2}, 2, 2),
    ],
)
def test_existing_users_are_used_unless_the_task_creates_some(
    tmp_path, users, projects, new
):
    contexts = {} if users is None else {"users@openstack": users}
    runner = {"constant": {"times": 4, "concurrency": 4}}
    made = task(
        tmp_path, "create_and_delete_bay", {"nodes": 1}, runner, contexts
    )
    (workload,) = task_file.read(made, projects)
    assert workload.new_projects == new
    assert bays(made, projects) == (4 if not projects else 2, 4)


def test_the_workers_are_processes():
    (workload,) = read(
        "2m-rps", workers=3, extra_args={"processes_per_worker": 4}
    )
    assert workload.workers == 12


def test_arguments_come_from_a_file_and_from_the_command_line(tmp_path):
    path = tmp_path / "args.yaml"
    path.write_text("nodes: 7\nworkers: 8\n")
    config = task_file.load(
        Api, SAMPLES / "2m-rps.json", str(path), "nodes: 9"
    )
    (workload,) = task_file.read(config, 0)
    assert workload.bays[0].request.nodes == 9
    assert workload.workers == 8


@pytest.mark.parametrize(
    ("text", "args", "words"),
    [
        ("{{ missing }}", None, "specify template task argument: missing"),
        ("{% if %}", None, "Failed to render"),
        ("{", None, "YAML or JSON"),
        ("{}", "[1]", "can't read the task"),
        ("{}", "{", "--task-args"),
    ],
)
def test_a_task_that_cannot_be_rendered(tmp_path, text, args, words):
    path = tmp_path / "task.json"
    path.write_text(text)
    with pytest.raises(exceptions.InvalidInput, match=words):
        task_file.load(Api, path, None, args)


@pytest.mark.parametrize("which", ["task", "args"])
def test_a_file_that_does_not_exist(tmp_path, which):
    missing = tmp_path / "missing.json"
    sample = SAMPLES / "2m-rps.json"
    files = (missing, None) if which == "task" else (sample, str(missing))
    with pytest.raises(exceptions.InvalidInput, match=r"missing\.json"):
        task_file.load(Api, *files, None)


@pytest.mark.parametrize(
    ("scenario", "args", "words"),
    [
        ("create_and_delete_bay", {}, "nodes"),
        ("create_and_delete_bay", {"nodes": 0}, "nodes"),
        ("create_and_delete_bay", {"nodes": 1, "colour": "red"}, "colour"),
        ("no_such_scenario", {"nodes": 1}, "no_such_scenario"),
        ("replace_nodes", {"nodes": 2, "count": 3}, "count"),
    ],
)
def test_a_task_that_rally_refuses(tmp_path, scenario, args, words):
    made = task(tmp_path, scenario, args)
    with pytest.raises(exceptions.InvalidInput, match=words):
        task_file.read(made, 0)


@pytest.mark.parametrize("config", [None, [], {"version": 2}])
def test_a_task_without_workloads(config):
    with pytest.raises(exceptions.InvalidInput, match="can't read the task"):
        task_file.read(config, 0)


def test_contexts_that_are_wrong(tmp_path):
    made = task(
        tmp_path,
        "create_and_delete_bay",
        {"nodes": 1},
        contexts={"bay_quotas@openstack": {"bay": 1}},
    )
    with pytest.raises(exceptions.InvalidInput, match="bays"):
        task_file.read(made, 0)
