"""Read results that `rally task report --json` has written."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import storage
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.task.exporters import results


def read(path: pathlib.Path) -> list[results.Result]:
    """Read the tasks of a file, or of all result files in a folder.

    :returns: the tasks in the form that Rally passes to an exporter, as far
        as this package needs it
    :raises InvalidInput: when a file holds no results
    """
    return [*_read(path)]


def read_runs(path: pathlib.Path, link: str = "") -> list[storage.StoredRun]:
    """Read the runs of a file, or of all result files in a folder.

    In a folder and its subfolders, the ``*.json`` files with the keys
    ``info`` and ``tasks`` are read, because Rally writes these keys.  Other
    files, such as a night's ``summary.json``, are skipped.

    :param link: path of the report page, relative to the history
    :raises InvalidInput: when a file holds no results
    """
    return runs_of(_read(path), link)


def runs_of(
    tasks: Iterable[results.Result], link: str = ""
) -> list[storage.StoredRun]:
    """Convert tasks to runs of the history.

    A workload whose result can't be read is a broken run.

    :param link: path of the report page, relative to the history
    """
    return [
        run
        for task in tasks
        for run in new_runs.of_report(results.read([task]), link)
    ]


def _read(path: pathlib.Path) -> Iterator[results.Result]:
    """Read the files one after the other; skip files without results."""
    if not path.is_dir():
        yield from _tasks(path, _load(path))
        return
    any_read = False
    for each in sorted(path.rglob("*.json")):
        found = _load(each)
        if isinstance(found, dict) and {"info", "tasks"} <= found.keys():
            any_read = True
            yield from _tasks(each, found)
    if not any_read:
        raise exceptions.InvalidInput(
            f"The folder {path} holds no *.json file with results. Write one "
            "with `rally task report --json --out FILE`."
        )


def _load(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise exceptions.InvalidInput(
            f"The results {path} can't be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise _no_results(path, str(error)) from error


def _tasks(path: pathlib.Path, found: Any) -> list[results.Result]:
    try:
        return [_task(one) for one in found["tasks"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"it has a value of the wrong kind: {error}"
        if isinstance(error, KeyError):
            why = f"it lacks the key {error}"
        raise _no_results(path, why) from error


def _no_results(path: pathlib.Path, why: str) -> exceptions.InvalidInput:
    return exceptions.InvalidInput(
        f"The file {path} is not an output of `rally task report --json`: "
        f"{why}."
    )


def _task(task: Mapping[str, Any]) -> results.Result:
    subtasks = [
        {**one, "workloads": [_workload(each) for each in one["workloads"]]}
        for one in task["subtasks"]
    ]
    return {**task, "subtasks": subtasks}


def _workload(workload: Mapping[str, Any]) -> results.Result:
    """Restore the keys that exporters get for scenario and runner."""
    if "name" in workload:
        return workload
    ((name, args),) = workload["scenario"].items()
    given = {**workload, "name": name, "args": args}
    if "runner" in workload:
        ((kind, config),) = workload["runner"].items()
        given |= {"runner_type": kind, "runner": config}
    return given
