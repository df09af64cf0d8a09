"""Every exporter draws every task, and passes none that it can't read."""

import copy
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies

from rally_magnum_scale.history import storage
from rally_magnum_scale.report import states
from rally_magnum_scale.task.exporters import exporter_plugins
from rally_magnum_scale.task.exporters import results
from tests.unit.task import test_results as stored

FAILED = ["BayCreateFailed", "no valid host", "Traceback"]
BROKEN_CONTEXT = stored.context(
    setup=stored.timed(1.0, 2.0, error=FAILED), cleanup=stored.timed(3.0, 4.0)
)
TASKS = {
    "no workload": stored.task(),
    "no subtask": stored.task(subtasks=[]),
    "refused": stored.task(
        subtasks=[],
        status="validation_failed",
        validation_result={"etype": "InvalidTaskException", "msg": "no"},
    ),
    "no iteration": stored.task(stored.workload()),
    "a good one": stored.task(
        stored.workload(
            stored.iteration(),
            stored.iteration(2),
            contexts_results=[stored.context()],
            runner_type="constant",
            runner={"times": 2, "concurrency": 1},
        )
    ),
    "all iterations failed": stored.task(
        stored.workload(stored.iteration(error=FAILED, found=[]))
    ),
    "no records": stored.task(stored.workload(stored.iteration(found=[]))),
    "a context failed": stored.task(
        stored.workload(contexts_results=[BROKEN_CONTEXT], sla_results={})
    ),
    "several workloads": stored.task(
        stored.workload(stored.iteration()), stored.workload()
    ),
}
ODD = (None, [], {}, "", "x", 0, -1, 1.5, True, [None], {"a": 1}, float("nan"))


def places(found, place=()):
    """Yield the place of each value in a tree, as keys and indices."""
    pairs = ()
    if isinstance(found, dict):
        pairs = found.items()
    elif isinstance(found, list):
        pairs = enumerate(found)
    for key, value in pairs:
        yield *place, key
        yield from places(value, (*place, key))


@strategies.composite
def mutilated(draw):
    """A task in which a value is missing, or is something odd."""
    name = draw(strategies.sampled_from(sorted(TASKS)))
    task = copy.deepcopy(TASKS[name])
    for _ in range(draw(strategies.integers(1, 2))):
        *parents, key = draw(strategies.sampled_from([*places(task)]))
        holder = task
        for one in parents:
            holder = holder[one]
        if draw(strategies.booleans()):
            del holder[key]
        else:
            # Of its own: a second change may be inside it.
            odd = draw(strategies.sampled_from(ODD))
            holder[key] = copy.deepcopy(odd)
    return task


def exported(kind, task):
    """Return what an exporter prints of a task."""
    made = kind([copy.deepcopy(task)], None).generate()
    assert made["print"]
    return made["print"]


def failures(text):
    root = ET.fromstring(text)
    cases = root.findall(".//testcase")
    assert cases
    return [case.find("failure") is not None for case in cases]


@given(mutilated())
def test_every_exporter_draws_what_is_left_of_a_task(task):
    exported(exporter_plugins.TableExporter, task)
    exported(exporter_plugins.OpenMetricsExporter, task)
    failed = failures(exported(exporter_plugins.JUnitExporter, task))
    report = results.read([task])
    held = [
        states.of_task([one], report.errors) == storage.HOLDS
        for one in report.workloads
    ]
    assert failed == [not one for one in held] or (failed, held) == (
        [True],
        [],
    )


def state_of(task):
    report = results.read([task])
    return storage.STATES.index(
        states.of_task(report.workloads, report.errors)
    )


# What a task leaves out of these is not asked for, and not lost.
FREE = {"sla", "args", "runner", "runner_type"}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_that_lacks_a_field_never_looks_better(name):
    before = state_of(TASKS[name])
    for *parents, key in places(TASKS[name]):
        if isinstance(key, int) or FREE & set(parents):
            continue
        task = copy.deepcopy(TASKS[name])
        holder = task
        for one in parents:
            holder = holder[one]
        del holder[key]
        assert state_of(task) >= before, (*parents, key)


@pytest.mark.parametrize("name", ["a good one", "a context failed"])
def test_no_odd_value_of_a_field_stops_the_reading(name):
    for *parents, key in places(TASKS[name]):
        for odd in ODD:
            task = copy.deepcopy(TASKS[name])
            holder = task
            for one in parents:
                holder = holder[one]
            holder[key] = odd
            assert state_of(task) in range(len(storage.STATES))


@pytest.mark.parametrize("odd", [None, {}, "x", {"title": "t"}])
def test_no_part_of_a_task_is_lost(odd):
    task = copy.deepcopy(TASKS["a good one"])
    task["subtasks"].append(odd)
    report = results.read([task])
    found = [states.of_workload(one) for one in report.workloads]
    assert found == [storage.HOLDS, storage.BROKEN]
    assert failures(exported(exporter_plugins.JUnitExporter, task)) == [
        False,
        True,
    ]


@pytest.mark.parametrize("name", TASKS)
def test_each_task_has_a_page(name):
    page = exported(exporter_plugins.PageExporter, TASKS[name])
    assert page.rstrip().endswith("</html>")
    # Only one of these tasks is whole.
    failed = failures(exported(exporter_plugins.JUnitExporter, TASKS[name]))
    assert all(failed) == (name not in ("a good one", "several workloads"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "data: None is not of type 'array'"),
        ({"args": []}, "args: [] is not of type 'object'"),
        ({"data": [{}]}, "data[0]: 'timestamp' is a required property"),
        (
            {"sla_results": {"sla": [{"criterion": "x"}]}},
            "sla_results.sla[0]: 'success' is a required property",
        ),
        (
            {"contexts_results": [stored.context(name=3)]},
            "contexts_results[0].plugin_name: 3 is not of type 'string'",
        ),
    ],
)
def test_a_workload_that_can_not_be_read_is_broken_and_says_why(change, words):
    task = stored.task(
        stored.workload(stored.iteration()),
        stored.workload(stored.iteration(), **change),
    )
    assert results.objection(task["subtasks"][0]["workloads"][1]) == words
    report = results.read([task])
    good, bad = report.workloads
    assert states.of_workload(good) == storage.HOLDS
    assert states.of_workload(bad) == storage.BROKEN
    table = " ".join(exported(exporter_plugins.TableExporter, task).split())
    assert f"result can't be read: {words}" in table
    page = exported(exporter_plugins.PageExporter, task)
    assert "result can&#39;t be read" in page
    assert failures(exported(exporter_plugins.JUnitExporter, task)) == [
        False,
        True,
    ]


def test_a_result_without_records_in_the_right_form_is_broken(tmp_path):
    task = copy.deepcopy(TASKS["a good one"])
    workload = task["subtasks"][0]["workloads"][0]
    workload["data"][0]["output"]["complete"][1]["data"] = 5
    path = tmp_path / "history.jsonl"
    exporter_plugins.HistoryExporter([task], str(path)).generate()
    (line,) = path.read_text().splitlines()
    run = json.loads(line)
    assert run["state"] == storage.BROKEN
    assert "5 is not of type 'array'" in run["sentence"]
