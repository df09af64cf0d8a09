"""From what Rally has stored to what the report layer draws."""

import pytest
from rally.task import exporter

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import page
from rally_magnum_scale.report import states
from rally_magnum_scale.report import table
from rally_magnum_scale.task import output
from rally_magnum_scale.task.exporters import results
from tests.unit import factories

FAILED = [
    "TemplateNotFound",
    "0 cluster templates fit (bay_template is 'nope'); set bay_template to "
    "the name or id of one of: kubernetes.",
    "Traceback (most recent call last): ...",
]
REFUSED = """Input task is invalid!

Subtask MagnumScale.create_and_delete_bay[0] has wrong configuration
Subtask configuration:
{"version": 2, "title": "A cropped version of a bigger task."}

Reason(s):
 Scenario plugin 'MagnumScale.create_and_delete_bay' doesn't pass \
args-spec@default validation. Details: Argument 'nodes' is invalid: 0 is \
less than the minimum of 1
 SLA plugin 'bay_create_time' doesn't pass jsonschema@default validation. \
Details: Additional properties are not allowed ('max_z' was unexpected)

Failed validating 'additionalProperties' in schema:
    {'type': 'object'}

On instance:
    {"max_z": 60}"""


def timed(start, finish, error=None, actions=()):
    return {
        "started_at": start,
        "finished_at": finish,
        "atomic_actions": list(actions),
        "error": error,
    }


def action(name, start, finish, **more):
    return {
        "name": name,
        "children": [],
        "started_at": start,
        "finished_at": finish,
        **more,
    }


def context(name="bays@openstack", setup=None, cleanup=None):
    return {
        "plugin_name": name,
        "plugin_cfg": {"nodes": 2},
        "setup": setup or timed(1.0, 13.5),
        "cleanup": cleanup or timed(60.0, 62.0),
    }


def iteration(number=1, error=(), found=None):
    if found is None:
        source = records.Source("task", number, "rms-bay")
        found = [source.envelope("bay", factories.bay().to_json())]
    return {
        "timestamp": 20.0,
        "duration": 17.0,
        "idle_duration": 0.0,
        "error": list(error),
        "atomic_actions": [
            action("magnum.create_bay", 20.0, 32.4),
            action("magnum.delete_bay", 32.4, 35.6, failed=True),
        ],
        "output": {
            "additive": [],
            "complete": [
                {"title": "Other", "chart_plugin": "Table", "data": {}},
                output.records_output(found),
            ],
        },
    }


def workload(*iterations, **changes):
    values = {
        "name": "MagnumScale.create_and_delete_bay",
        "description": "Create a bay and delete it.",
        "args": {"nodes": 200},
        "sla": {"bay_create_time": {"max_s": 60}},
        "sla_results": {
            "sla": [
                {
                    "criterion": "bay_create_time",
                    "success": True,
                    "detail": "12.4 s",
                }
            ]
        },
        "contexts_results": [],
        "data": list(iterations),
    }
    return {**values, **changes}


def task(*workloads, **changes):
    values = {
        "uuid": "c0ffee00",
        "created_at": "2026-10-09T08:53:20",
        "env_name": "sandbox",
        "status": "finished",
        "validation_result": {},
        "subtasks": [{"title": "A bay", "workloads": list(workloads)}],
    }
    return {**values, **changes}


def both(*tasks):
    report = results.read(tasks)
    return table.render(report, width=1000), page.render(report)


def test_a_stored_task_becomes_a_report():
    report = results.read([task(workload(iteration()))])
    assert (report.task, report.environment) == ("c0ffee00", "sandbox")
    assert set(report.made_with) >= {"rally", "rally-magnum-scale"}
    # This one was written by a release that recorded no versions.
    assert report.versions == {}
    assert report.errors == []
    (work,) = report.workloads
    assert (work.scenario, work.title) == (
        "MagnumScale.create_and_delete_bay",
        "A bay",
    )
    assert work.args == {"nodes": 200}
    (one,) = work.iterations
    assert one.run.bay == factories.bay()
    assert [(a.name, a.failed) for a in one.actions] == [
        ("magnum.create_bay", False),
        ("magnum.delete_bay", True),
    ]
    assert one.actions[0].duration_s == pytest.approx(12.4)
    assert all(verdict.passed for verdict in work.verdicts())


def test_several_tasks_become_one_report():
    report = results.read(
        [task(workload(iteration())), task(workload(), uuid="decaf")]
    )
    assert report.task == "c0ffee00, decaf"
    assert report.environment == "sandbox"
    assert len(report.workloads) == 2


def test_an_iteration_that_failed_keeps_its_error_and_number():
    broken = iteration(found=[], error=["BayCreateFailed", "no", "trace"])
    report = results.read([task(workload(iteration(1), broken))])
    failed = report.workloads[0].iterations[1]
    assert failed.number == 2
    assert failed.error == ["BayCreateFailed", "no", "trace"]
    assert failed.run == records.Run(error="BayCreateFailed: no")


def test_an_iteration_that_can_not_be_read_hides_no_other():
    later = iteration()
    later["output"]["complete"][1]["data"] = [
        '{"record": "bay", "version": 9}'
    ]
    for text in both(task(workload(later, iteration(2)))):
        assert "A record of version 9 can" in text
        assert "rms-bay" in text or "Bay of 200 nodes" in text


def test_a_context_that_failed_says_so_everywhere():
    broken = workload(
        contexts_results=[
            context("users@openstack"),
            context(setup=timed(1.0, 1.5, FAILED)),
        ],
        sla_results={
            "sla": [
                {
                    "criterion": "bay_create_time",
                    "success": False,
                    "detail": "no iteration was measured",
                },
                {
                    "criterion": "something_went_wrong",
                    "success": False,
                    "detail": "Unexpected error: 0 cluster templates fit",
                },
            ]
        },
    )
    text, html = both(task(broken))
    assert f"The context bays failed: TemplateNotFound: {FAILED[1]}" in text
    assert text.endswith(
        "Nothing was measured, because the context bays failed: TemplateNotF"
        "ound: "
        f"{FAILED[1]} 1 of 1 bound does not hold.\n"
    )
    assert "something_went_wrong" not in text + html
    assert "The context bays failed.</strong> TemplateNotFound: 0 " in html
    assert "Nothing was measured, because the context bays failed: " in html
    assert "No iteration ran" not in text + html


def test_the_versions_are_those_that_ran():
    source = records.Source("task", 1, "rms-bay")
    asked = conditions.ConditionsRecord("a cloud", "a scenario", "", {})
    stored = [
        workload(
            iteration(
                found=[
                    source.envelope(
                        "conditions",
                        {**asked.to_json(), "versions": versions},
                    )
                ]
            )
        )
        for versions in ({"locust": "2.1", "x": "1"}, {"locust": "2.2"})
    ]
    report = results.read([task(*stored)])
    assert report.versions == {"locust": "2.1, 2.2", "x": "1"}
    assert f"locust {report.made_with['locust']}" in " ".join(
        page.render(report).split()
    )


def test_a_context_that_could_not_clean_up_is_told():
    left = context(cleanup=timed(60.0, 90.0, ["BayDeleteFailed", "it stays"]))
    text, html = both(task(workload(iteration(), contexts_results=[left])))
    said = "context bays could not clean up: BayDeleteFailed: it stays"
    assert said in text
    assert said in html
    assert "The only bound holds, but the context bays could not" in text


def test_a_context_tells_what_it_took():
    made = [action("magnum.create_bay", 1.0, 1.0 + s) for s in (12.0, 9.5)]
    gone = [action("magnum.delete_bay", 60.0, 61.5)]
    timing = context(
        setup=timed(1.0, 13.5, actions=made),
        cleanup=timed(60.0, 62.0, actions=gone),
    )
    never = context(
        "late@openstack", setup=timed(None, None), cleanup=timed(None, None)
    )
    stored = workload(iteration(), contexts_results=[timing, never])
    report = results.read([task(stored)])
    bays, late = report.workloads[0].contexts
    assert (bays.name, bays.setup_s, bays.cleanup_s) == ("bays", 12.5, 2.0)
    assert (late.setup_s, late.cleanup_s) == (None, None)
    text, html = both(task(stored))
    assert (
        "The context bays was set up in 12.5 s (magnum.create_bay 2 \u00d7 "
        "9.5 to 12.0 s) and cleaned up in 2 s (magnum.delete_bay 1 \u00d7 "
        "1.5 s)."
    ) in text
    assert "magnum.create_bay 2 \u00d7 9.5 to 12.0 s" in html


def test_a_task_that_was_refused_says_why_in_a_sentence():
    refused = task(
        subtasks=[],
        status="crashed",
        validation_result={"etype": "InvalidTaskConfig", "msg": REFUSED},
    )
    for text in both(refused):
        plain = text.replace("&#39;", "'")
        assert "Rally refused the task c0ffee00: Scenario plugin" in plain
        assert "'nodes' is invalid: 0 is less than the minimum of 1; " in plain
        assert "('max_z' was unexpected)." in plain
        assert "cropped version" not in plain
        assert "Failed validating" not in plain


def test_an_error_that_nobody_foresaw_is_named():
    broken = task(
        subtasks=[],
        status="crashed",
        validation_result={"etype": "KeyError", "msg": "'x'"},
    )
    (said,) = results.read([broken]).errors
    assert said == "Rally refused the task c0ffee00: KeyError: 'x'."


@pytest.mark.parametrize("status", ["crashed", "aborted", "running"])
def test_a_task_that_did_not_end_is_not_taken_for_whole(status):
    for text in both(task(workload(iteration()), status=status)):
        assert f"Rally stored the task c0ffee00 as {status}, so its" in text
    whole = task(workload(iteration()), uuid="decaf")
    broken = task(workload(iteration()), status=status)
    found = results.read([whole, broken]).workloads
    # The one beside it in a report is no worse for it.
    assert list(map(states.of_workload, found)) == ["holds", "broken"]


def test_a_workload_that_never_got_results_is_read():
    bare = workload(sla_results={}, contexts_results=None)
    (work,) = results.read([task(bare)]).workloads
    assert (list(work.sla_results), list(work.contexts)) == ([], [])


@pytest.mark.parametrize("kind", ["magnum-scale-html", "magnum-scale-table"])
def test_an_export_is_printed_or_goes_to_a_file(kind):
    plugin = exporter.TaskExporter.get(kind)
    stored = [task(workload(iteration()))]
    for nowhere in (None, "-"):
        assert (
            "The only bound holds"
            in plugin(stored, nowhere).generate()["print"]
        )
    made = plugin(stored, "out.html").generate()
    assert "The only bound holds" in made["files"]["out.html"]
    assert made["open"].startswith("file:///")


@pytest.mark.parametrize("kind", ["magnum-scale-html", "magnum-scale-table"])
def test_an_export_goes_to_the_home_directory(monkeypatch, tmp_path, kind):
    monkeypatch.setenv("HOME", str(tmp_path))
    stored = [task(workload(iteration()))]
    made = exporter.TaskExporter.get(kind)(stored, "~/out").generate()
    path = tmp_path / "out"
    assert list(made["files"]) == [str(path)]
    assert made["open"] == path.as_uri()
