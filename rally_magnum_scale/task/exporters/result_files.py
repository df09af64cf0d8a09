"""Results that `rally task report --json` has written, read back."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.report import history
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.task.exporters import results


def read(path: pathlib.Path) -> list[results.Result]:
    """Read the tasks of a file, or of all results in a folder.

    :returns: as Rally hands them to an exporter, as far as we read them
    :raises InvalidInput: when a file holds no results
    """
    return [task for _, tasks in _files(path) for task in tasks]


def read_runs(path: pathlib.Path, link: str = "") -> list[history.Run]:
    """Read the runs of a file, or of all results in a folder.

    Of a folder, those ``*.json`` in it and below it are read that have
    ``info`` and ``tasks``, as Rally writes them; others, such as a night's
    ``summary.json``, are left.

    :param link: where their page is, relative to the history
    :raises InvalidInput: when a file holds no results, or part of them
    """
    return [
        run
        for file, tasks in _files(path)
        for run in runs_of(tasks, link, f"The results {file}")
    ]


def runs_of(
    tasks: Iterable[results.Result],
    link: str = "",
    source: str = "Rally's results",
) -> list[history.Run]:
    """Return tasks as runs of the history.

    :param link: where their page is, relative to the history
    :param source: where the tasks are from, in words, for an error
    :raises InvalidInput: when a task lacks a key
    """
    found: list[history.Run] = []
    for task in tasks:
        found += _runs_of(task, link, source)
    return found


def _runs_of(
    task: results.Result, link: str, source: str
) -> list[history.Run]:
    try:
        return new_runs.of_report(results.read([task]), link)
    except (KeyError, TypeError, AttributeError) as error:
        raise exceptions.InvalidInput(
            f"{source} can't be read: the task {task.get('uuid', '')} "
            f"{_say(error)}."
        ) from error


def _files(
    path: pathlib.Path,
) -> Iterator[tuple[pathlib.Path, list[results.Result]]]:
    """Read one file after the other, and leave what holds no results."""
    if not path.is_dir():
        yield path, _tasks(path, _load(path))
        return
    any_read = False
    for each in sorted(path.rglob("*.json")):
        found = _load(each)
        if isinstance(found, dict) and {"info", "tasks"} <= found.keys():
            any_read = True
            yield each, _tasks(each, found)
    if not any_read:
        raise exceptions.InvalidInput(
            f"The folder {path} holds no file *.json with results; `rally "
            "task report --json --out FILE` writes one."
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
        raise _no_results(path, f"it {_say(error)}") from error


def _no_results(path: pathlib.Path, why: str) -> exceptions.InvalidInput:
    return exceptions.InvalidInput(
        f"The file {path} holds no results as `rally task report --json` "
        f"writes them: {why}."
    )


def _say(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"lacks the key {error}"
    return f"has a value of the wrong kind: {error}"


def _task(task: Mapping[str, Any]) -> results.Result:
    subtasks = [
        {**one, "workloads": [_workload(each) for each in one["workloads"]]}
        for one in task["subtasks"]
    ]
    return {**task, "subtasks": subtasks}


def _workload(workload: Mapping[str, Any]) -> results.Result:
    """Give scenario and runner their names and arguments back."""
    if "name" in workload:
        return workload
    ((name, args),) = workload["scenario"].items()
    given = {**workload, "name": name, "args": args}
    if "runner" in workload:
        ((kind, config),) = workload["runner"].items()
        given |= {"runner_type": kind, "runner": config}
    return given
