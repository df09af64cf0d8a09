"""The history and its metrics as Rally exports them."""

import json

import pytest
from rally.task import exporter

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.task.exporters import result_files
from tests.unit.task import test_results


def export(name, tasks, to=None):
    return exporter.TaskExporter.get(name)(tasks, output_destination=to)


def whole_task(**changes):
    work = test_results.workload(test_results.iteration())
    return test_results.task(work, **changes)


def test_a_task_is_added_to_the_history(tmp_path):
    path = tmp_path / "history.jsonl"
    one, other = whole_task(uuid="1"), whole_task(uuid="2")
    export("magnum-scale-history", [one], str(path)).generate()
    done = export("magnum-scale-history", [one, other], str(path)).generate()
    assert [run.task for run in storage.read(path)] == ["1", "2"]
    assert f"{path} has 2 runs." in done["print"]
    # Rally would write over what others have added.
    assert "files" not in done


@pytest.mark.parametrize("name", ["history", "openmetrics"])
def test_the_home_directory_is_expanded(monkeypatch, tmp_path, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    export(f"magnum-scale-{name}", [whole_task()], "~/x").generate()
    assert (tmp_path / "x").is_file()


def test_a_history_needs_a_file():
    with pytest.raises(exceptions.InvalidInput, match="--to: magnum-scale-h"):
        export("magnum-scale-history", [whole_task()]).generate()


def test_metrics_are_written_whole_or_printed(tmp_path):
    name = "magnum-scale-openmetrics"
    printed = export(name, [whole_task()]).generate()["print"]
    assert printed.endswith("# EOF\n")
    path = tmp_path / "x.prom"
    done = export(name, [whole_task()], str(path)).generate()
    assert path.read_text() == printed
    # Rally would write it bit by bit, while a collector reads.
    assert done == {"print": f"{path} is written."}
    with pytest.raises(exceptions.InvalidInput, match="--to: .* Is a direc"):
        export(name, [whole_task()], str(tmp_path)).generate()


def as_rally_writes(task):
    """The form of ``rally task report --json``."""
    copy = json.loads(json.dumps(task))
    for subtask in copy["subtasks"]:
        for one in subtask["workloads"]:
            one["scenario"] = {one.pop("name"): one.pop("args", {})}
            if "runner" in one:
                one["runner"] = {one.pop("runner_type"): one["runner"]}
    return {"info": {"format_version": "1.2"}, "tasks": [copy]}


def test_a_folder_of_results_is_read(tmp_path):
    below = tmp_path / "below"
    below.mkdir()
    for number, folder in enumerate((tmp_path, below)):
        task = whole_task(uuid=str(number))
        path = folder / f"{number}.json"
        path.write_text(json.dumps(as_rally_writes(task)))
    tasks = result_files.read(tmp_path)
    assert result_files.runs_of(tasks, "link") == [
        run
        for number in ("0", "1")
        for run in result_files.runs_of([whole_task(uuid=number)], "link")
    ]
    assert result_files.read(tmp_path / "0.json") == tasks[:1]
    runs = result_files.runs_of(tasks, "link")
    assert result_files.read_runs(tmp_path, "link") == runs


def test_of_a_night_its_results_are_read_and_not_its_summary(tmp_path):
    task = as_rally_writes(whole_task(uuid="1"))
    (tmp_path / "task.json").write_text(json.dumps(task))
    folder = tmp_path / "2026-10-09T085320Z"
    folder.mkdir()
    told = outcome.TaskOutcome("task", "holds", "The only bound holds.")
    night = outcome.Night("night", 0.0, 1.0, "sandbox", (told,))
    night.write(folder / "summary.json")
    (folder / "list.json").write_text("[]")
    (run,) = result_files.read_runs(tmp_path)
    assert run.task == "1"
    with pytest.raises(exceptions.InvalidInput, match=r"no \*.json file with"):
        result_files.read_runs(folder)


def at_concurrency(count, **changes):
    work = test_results.workload(
        test_results.iteration(),
        runner_type="constant",
        runner={"times": 50, "concurrency": count},
        contexts={"users@openstack": {"tenants": 1}},
        **changes,
    )
    return test_results.task(work, uuid=f"at-{count}")


def test_runs_of_other_runners_or_contexts_are_not_compared(tmp_path):
    many = {"contexts": {"users@openstack": {"tenants": 2}}}
    one, ten = (
        result_files.runs_of([at_concurrency(count)])[0] for count in (1, 10)
    )
    assert one.conditions.runner == "constant (concurrency 1, times 50)"
    assert one.conditions.differences(ten.conditions) == ["runner"]
    assert storage.groups([one, ten]) == [[one], [ten]]
    work = at_concurrency(1)["subtasks"][0]["workloads"][0]
    (other,) = result_files.runs_of([test_results.task({**work, **many})])
    assert one.conditions.differences(other.conditions) == ["contexts"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(as_rally_writes(at_concurrency(1))))
    assert result_files.read_runs(path) == [one]


def test_what_a_run_recorded_of_its_runner_counts():
    asked = conditions.record("c", "s", {}, runner="serial", contexts="0" * 12)
    source = records.Source("task", 1, "")
    found = [source.envelope("conditions", asked.to_json())]
    work = test_results.workload(
        test_results.iteration(found=found),
        runner_type="constant",
        runner={"times": 1},
        contexts={},
    )
    (run,) = result_files.runs_of([test_results.task(work)])
    assert run.conditions.runner == "serial"
    assert run.conditions.contexts == "0" * 12


@pytest.mark.parametrize(
    ("part", "key"),
    [
        (lambda work: work["data"][0], "output"),
        (lambda work: work["data"][0]["atomic_actions"][0], "name"),
        (lambda work: work["sla_results"]["sla"][0], "criterion"),
    ],
)
def test_a_workload_that_lacks_a_key_is_a_broken_run(tmp_path, part, key):
    task = as_rally_writes(whole_task(uuid="cafe"))
    del part(task["tasks"][0]["subtasks"][0]["workloads"][0])[key]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(task))
    (run,) = result_files.read_runs(path)
    assert run.state == storage.BROKEN
    assert f"'{key}' is a required property" in run.sentence


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not an output of `rally task report --json`"),
        ("[]", "is not an output of"),
        (
            '{"tasks": [{}]}',
            "is not an output of .*: it lacks the key 'subtas",
        ),
    ],
)
def test_a_file_without_results_is_named(tmp_path, text, why):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(exceptions.InvalidInput, match=why):
        result_files.read(path)


def test_a_place_without_results_is_named(tmp_path):
    with pytest.raises(exceptions.InvalidInput, match="holds no"):
        result_files.read(tmp_path)
    with pytest.raises(exceptions.InvalidInput, match="No such file"):
        result_files.read(tmp_path / "none.json")
