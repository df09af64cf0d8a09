"""Check the input of a demo before the sandbox is created for it."""

from __future__ import annotations

import math
import os
import pathlib
from typing import Any

import jinja2
import yaml

from rally_magnum_sandbox import exceptions

# The functions that Rally adds to a task's template.
FUNCTIONS = {"min": min, "max": max, "round": round, "ceil": math.ceil}


def check(
    task: pathlib.Path, args: pathlib.Path | None, reports_dir: pathlib.Path
) -> None:
    """Check that Rally can read the task and that reports can be written.

    :param task: the Rally task file
    :param args: the file with the task's arguments
    :param reports_dir: the folder for the reports
    :raises InvalidInput: with the option and the problem with its file
    """
    text = _text("--task", task)
    given = _arguments(args) if args is not None else {}
    _check_task(_render(task, text, given), task)
    _check_reports(reports_dir)


def _text(option: str, path: pathlib.Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise exceptions.InvalidInput(
            f"{option}: there is no file {path}. Run the demo from a "
            "checkout of the project, or name the files with --task and "
            "--args."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise exceptions.InvalidInput(
            f"{option}: can't read {path} ({reason}). Name a text file."
        ) from error


def _arguments(path: pathlib.Path) -> dict[str, Any]:
    text = _text("--args", path)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise exceptions.InvalidInput(
            f"--args: {path} is neither JSON nor YAML: {_one_line(error)}. "
            "Fix the file."
        ) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) for name in found
    ):
        raise exceptions.InvalidInput(
            f"--args: {path} must contain an object of names and values, "
            'such as {"nodes": 20}.'
        )
    return found


def _render(task: pathlib.Path, text: str, given: dict[str, Any]) -> object:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(task.parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - a task, not HTML
    )
    templates.globals.update(FUNCTIONS)
    try:
        return yaml.safe_load(templates.from_string(text).render(**given))
    except jinja2.UndefinedError as error:
        raise exceptions.InvalidInput(
            f"--task: {task} needs an argument that --args does not provide: "
            f"{_one_line(error)}. Add it to the arguments."
        ) from error
    except jinja2.TemplateError as error:
        raise exceptions.InvalidInput(
            f"--task: {task} is not a valid Jinja2 template: "
            f"{_one_line(error)}. Fix the template."
        ) from error
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise exceptions.InvalidInput(
            f"--args: {task} can't be rendered with these values: "
            f"{_one_line(error)}. Check their types."
        ) from error
    except yaml.YAMLError as error:
        raise exceptions.InvalidInput(
            f"--task: {task}, rendered with its arguments, is neither JSON "
            f"nor YAML: {_one_line(error)}. Fix the task or the arguments."
        ) from error


def _check_task(found: object, task: pathlib.Path) -> None:
    if not isinstance(found, dict) or not found:
        raise exceptions.InvalidInput(
            f"--task: {task} contains no Rally task, which is an object with "
            "subtasks. Name a file from samples/tasks."
        )


def _check_reports(folder: pathlib.Path) -> None:
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise exceptions.InvalidInput(
            f"--reports: can't write reports to {folder}, because {there} is "
            "not a writable folder. Name another folder."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
