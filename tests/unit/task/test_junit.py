"""JUnit XML in which only what holds as a whole passes."""

from xml.etree import ElementTree

import pytest
from rally.task import exporter

from tests.unit.task import test_results

LEFT = test_results.context(
    cleanup=test_results.timed(60.0, 90.0, ["Left", "it \x1b[31mstays\x1b[0m"])
)


def cases(*tasks):
    plugin = exporter.TaskExporter.get("magnum-scale-junit")
    text = plugin(list(tasks), None).generate()["print"]
    root = ElementTree.fromstring(text.encode())
    found = root.findall("testsuite/testcase")
    suites = root.findall("testsuite")
    assert sum(int(one.get("tests")) for one in suites) == len(found)
    return {
        one.get("id", one.get("name")): one.findtext("failure")
        for one in found
    }


def workload(**changes):
    one = test_results.iteration()
    return test_results.workload(one, uuid="w", full_duration=17.0, **changes)


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({}, None),
        (
            {"runner_type": "serial", "runner": {"times": 2}},
            "broken: 1 of 1 bound does not hold; bay_create_time max_s: "
            "12.4 s (at most 60 s is required) does not count: 1 of 2 "
            "iterations have a result.",
        ),
        (
            {"contexts_results": [LEFT]},
            "broken: The only bound holds, but the context bays could not "
            "clean up: Left: it [31mstays[0m.",
        ),
        (
            {"sla": {"bay_create_time@default": {"max_s": 1}}},
            "fails: 1 of 1 bound does not hold; ",
        ),
        ({"sla_results": {}}, "fails: "),
    ],
)
def test_a_workload_passes_only_as_a_whole(changes, failure):
    (said,) = cases(test_results.task(workload(**changes))).values()
    assert said == failure or said.startswith(failure)


def test_a_task_that_was_refused_fails_though_it_has_no_workload():
    refused = test_results.task(
        subtasks=[],
        status="crashed",
        validation_result={"etype": "KeyError", "msg": "'x'"},
    )
    assert cases(refused) == {
        "c0ffee00": "broken: Rally refused the task c0ffee00: KeyError: 'x'."
    }


def test_a_task_that_broke_fails_each_of_its_workloads():
    broken = test_results.task(workload(), status="crashed")
    (said,) = cases(broken).values()
    assert said.startswith("broken: Rally stored the task c0ffee00 as crashed")


def test_it_goes_to_a_file():
    plugin = exporter.TaskExporter.get("magnum-scale-junit")
    made = plugin([test_results.task(workload())], "a.xml").generate()
    assert made["files"]["a.xml"].startswith("<testsuites>")
    assert made["open"].endswith("/a.xml")


def test_it_goes_to_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    plugin = exporter.TaskExporter.get("magnum-scale-junit")
    made = plugin([test_results.task(workload())], "~/a.xml").generate()
    path = tmp_path / "a.xml"
    assert list(made["files"]) == [str(path)]
    assert made["open"] == path.as_uri()
