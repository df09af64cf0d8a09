"""Results that `rally task report --json` has written, read back."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.report import history
from rally_magnum_scale.task.exporters import results


def read(path: pathlib.Path) -> list[results.Result]:
    """Read the tasks of a file, or of all ``*.json`` of a folder.

    :returns: as Rally hands them to an exporter, as far as we read them
    :raises InvalidInput: when a file holds no results
    """
    if not path.is_dir():
        return _read_file(path)
    files = sorted(path.rglob("*.json"))
    if not files:
        raise exceptions.InvalidInput(
            f"The folder {path} holds no file *.json; `rally task report "
            "--json --out FILE` writes one."
        )
    return [task for each in files for task in _read_file(each)]


def runs_of(tasks: list[results.Result], link: str = "") -> list[history.Run]:
    """Return tasks as runs of the history.

    :param link: where their page is, relative to the history
    """
    return [
        run
        for task in tasks
        for run in history.of_report(results.read([task]), link)
    ]


def _read_file(path: pathlib.Path) -> list[results.Result]:
    try:
        found = json.loads(path.read_text())
        return [_task(one) for one in found["tasks"]]
    except OSError as error:
        raise exceptions.InvalidInput(
            f"The results {path} can't be read: {error.strerror}."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise exceptions.InvalidInput(
            f"The file {path} holds no results as `rally task report --json` "
            f"writes them: {type(error).__name__}: {error}."
        ) from error


def _task(task: Mapping[str, Any]) -> results.Result:
    subtasks = [
        {**one, "workloads": [_workload(each) for each in one["workloads"]]}
        for one in task["subtasks"]
    ]
    return {**task, "subtasks": subtasks}


def _workload(workload: Mapping[str, Any]) -> results.Result:
    """Give the scenario its name and arguments back."""
    if "name" in workload:
        return workload
    ((name, args),) = workload["scenario"].items()
    return {**workload, "name": name, "args": args}
