"""The settings file of the nights: tasks, cloud and folder."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import jsonschema
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.measurement import conditions

# Names of a night's own files.
RESERVED = "summary"

_MOST_S = 366 * 86_400.0


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description}


def _time(description: str) -> dict[str, Any]:
    return {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": description,
    }


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cloud": {
            "type": "object",
            "description": "The cloud of the tasks: exactly one of "
            "`sandbox`, `clouds_yaml` and `openrc`.",
            "properties": {
                "sandbox": {
                    "const": True,
                    "description": "The sandbox, on this machine.",
                },
                "clouds_yaml": _text("The name of a cloud in clouds.yaml."),
                "region": _text(
                    "With `clouds_yaml`: the region, if the cloud has several."
                ),
                "openrc": _text(
                    "A shell file that exports OS_AUTH_URL and the other "
                    "variables of a cloud."
                ),
            },
            "oneOf": [
                {"required": [one]}
                for one in ("sandbox", "clouds_yaml", "openrc")
            ],
            "dependentRequired": {"region": ["clouds_yaml"]},
            "additionalProperties": False,
        },
        "folder": _text("Folder for the nights, the history and the pages."),
        "tasks": {
            "type": "array",
            "description": "The tasks, which run one after the other.",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[A-Za-z0-9._-]+$",
                        "description": "Base name of the task's output "
                        "files; default: the name of the task file.",
                    },
                    "task": _text("Rally's task file."),
                    "arguments": _text("File with the task's arguments."),
                    "deadline_s": _time(
                        "Seconds after which the task is interrupted; "
                        "default: at the night's deadline."
                    ),
                },
                "required": ["task"],
                "additionalProperties": False,
            },
        },
        "across": {
            "type": "array",
            "description": "Conditions in which compared runs may differ.",
            "items": {"enum": list(conditions.KEYS)},
        },
        "keep": {
            "type": "integer",
            "minimum": 1,
            "description": "Number of nights whose folders are kept; the "
            "history keeps the metrics of all nights.",
        },
        "deadline_s": _time(
            "Deadline of the night in seconds. After it, no task starts, and "
            "a running task is interrupted. The cleanup takes at most grace_s "
            "and 700 s more, and taking the sandbox down 600 s more."
        ),
        "grace_s": _time("Seconds for the cleanup of an interrupted task."),
    },
    "required": ["cloud", "folder", "tasks"],
    "additionalProperties": False,
}


@dataclasses.dataclass(frozen=True)
class TaskSettings:
    """A Rally task of the night, with the keys of :data:`SCHEMA`."""

    name: str
    task: pathlib.Path
    arguments: pathlib.Path | None = None
    deadline_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of the nights, with the keys of :data:`SCHEMA`.

    Exactly one of ``sandbox``, ``clouds_yaml`` and ``openrc`` is set.

    :param region: an empty string for the only one
    """

    folder: pathlib.Path
    tasks: tuple[TaskSettings, ...]
    sandbox: bool = False
    clouds_yaml: str = ""
    region: str = ""
    openrc: pathlib.Path | None = None
    across: tuple[str, ...] = ()
    keep: int = 30
    deadline_s: float = 8 * 3600.0
    grace_s: float = 1800.0

    @property
    def cloud(self) -> str:
        if self.sandbox:
            return "the sandbox"
        return self.clouds_yaml or f"the cloud of {self.openrc}"


def read(path: pathlib.Path) -> Settings:
    """Read the file; paths in it are relative to its folder.

    :raises InvalidInput: when a key is invalid, or a file is missing
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise exceptions.InvalidInput(
            f"The file {path} can't be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"The file {path} is not UTF-8 text: {error}."
        ) from error
    # PyYAML does not wrap the ValueError of an invalid date.
    except (yaml.YAMLError, ValueError) as error:
        raise exceptions.InvalidInput(
            f"The file {path} is not YAML: {' '.join(str(error).split())}."
        ) from error
    _check(path, content)
    settings = _settings(path.absolute().parent, content)
    _check_files(settings)
    return settings


def _check(path: pathlib.Path, content: Any) -> None:
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(content)
    error = jsonschema.exceptions.best_match(found)
    if error is None:
        _check_seconds(path, content)
        return
    key = error.json_path.removeprefix("$").lstrip(".") or "the file"
    if key == "cloud":
        raise exceptions.InvalidInput(
            f"cloud in {path}: give exactly one of `sandbox: true`, "
            "`clouds_yaml: NAME` and `openrc: FILE`, and `region: NAME` only "
            "beside `clouds_yaml`."
        )
    raise exceptions.InvalidInput(f"{key} in {path}: {error.message}.")


def _check_seconds(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Refuse numbers that can't be a timeout, such as infinity."""
    for key, seconds in _seconds(content):
        if not 0 < seconds <= _MOST_S:
            raise exceptions.InvalidInput(
                f"{key} in {path}: {seconds} is not a possible number of "
                "seconds. Give a number of at most "
                f"{_MOST_S:.0f} (a year)."
            )


def _seconds(content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key in ("deadline_s", "grace_s"):
        if key in content:
            yield key, content[key]
    for place, task in enumerate(content["tasks"]):
        if "deadline_s" in task:
            yield f"tasks[{place}].deadline_s", task["deadline_s"]


def _settings(base: pathlib.Path, content: Mapping[str, Any]) -> Settings:
    cloud = content["cloud"]
    openrc = cloud.get("openrc")
    limits = ("deadline_s", "grace_s")
    numbers = {key: content[key] for key in limits if key in content}
    return Settings(
        folder=(base / content["folder"]).resolve(),
        tasks=tuple(_task(base, one) for one in content["tasks"]),
        sandbox=cloud.get("sandbox", False),
        clouds_yaml=cloud.get("clouds_yaml", ""),
        region=cloud.get("region", ""),
        openrc=base / openrc if openrc else None,
        across=tuple(content.get("across", ())),
        # In JSON Schema, 3.0 is an integer, too.
        keep=int(content.get("keep", Settings.keep)),
        **numbers,
    )


def _task(base: pathlib.Path, one: Mapping[str, Any]) -> TaskSettings:
    task, arguments = base / one["task"], one.get("arguments")
    return TaskSettings(
        name=one.get("name", task.stem),
        task=task,
        arguments=base / arguments if arguments else None,
        deadline_s=one.get("deadline_s"),
    )


def _check_files(settings: Settings) -> None:
    names = [RESERVED, *(one.name for one in settings.tasks)]
    for place, one in enumerate(settings.tasks):
        if one.name in names[: place + 1]:
            raise exceptions.InvalidInput(
                f"tasks[{place}].name: another task or file of the night has "
                f"the name {one.name}. Give the task another name."
            )
        for key, path in (("task", one.task), ("arguments", one.arguments)):
            if path and not path.is_file():
                raise exceptions.InvalidInput(
                    f"tasks[{place}].{key}: the file {path} does not exist."
                )
    if settings.openrc and not settings.openrc.is_file():
        raise exceptions.InvalidInput(
            f"cloud.openrc: the file {settings.openrc} does not exist."
        )
