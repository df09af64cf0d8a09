"""The history and its metrics as Rally exports them."""

import json

import pytest
from rally.task import exporter

from rally_magnum_scale import exceptions
from rally_magnum_scale.report import history
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
    assert [run.task for run in history.read(path)] == ["1", "2"]
    assert f"{path} holds 2 runs." in done["print"]
    # Rally would write over what others have added.
    assert "files" not in done


def test_a_history_needs_a_file():
    with pytest.raises(exceptions.InvalidInput, match="--to: magnum-scale-h"):
        export("magnum-scale-history", [whole_task()]).generate()


def test_metrics_are_written_or_printed():
    name = "magnum-scale-openmetrics"
    printed = export(name, [whole_task()]).generate()["print"]
    assert printed.endswith("# EOF\n")
    written = export(name, [whole_task()], "x.prom").generate()["files"]
    assert written == {"x.prom": printed}


def as_rally_writes(task):
    """The form of ``rally task report --json``."""
    copy = json.loads(json.dumps(task))
    for subtask in copy["subtasks"]:
        for one in subtask["workloads"]:
            one["scenario"] = {one.pop("name"): one.pop("args", {})}
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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "holds no results as `rally task report --json` writes them"),
        ("[]", "holds no results"),
        ('{"tasks": [{}]}', "holds no results .* KeyError: 'subtasks'"),
    ],
)
def test_a_file_without_results_is_named(tmp_path, text, why):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(exceptions.InvalidInput, match=why):
        result_files.read(path)


def test_a_place_without_results_is_named(tmp_path):
    with pytest.raises(exceptions.InvalidInput, match="holds no file"):
        result_files.read(tmp_path)
    with pytest.raises(exceptions.InvalidInput, match="No such file"):
        result_files.read(tmp_path / "none.json")
