"""The small file that says what runs every night, and where."""

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

# Of a night's own files.
RESERVED = "summary"

_TEXT = {"type": "string", "minLength": 1}
_MOST_S = 366 * 86_400.0
_SECONDS = {"type": "number", "exclusiveMinimum": 0}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cloud": {
            "type": "object",
            "description": "Where the tasks run: exactly one of these.",
            "properties": {
                "sandbox": {
                    "const": True,
                    "description": "The sandbox, on this machine.",
                },
                "clouds_yaml": {
                    **_TEXT,
                    "description": "The name of a cloud in clouds.yaml.",
                },
                "openrc": {
                    **_TEXT,
                    "description": "A shell file that exports OS_AUTH_URL "
                    "and the other variables of a cloud.",
                },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
        "folder": {
            **_TEXT,
            "description": "Gets a folder for each night, the history and "
            "the pages.",
        },
        "tasks": {
            "type": "array",
            "description": "What runs, one after the other.",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "name": {
                        "type": "string",
                        "pattern": "^[A-Za-z0-9._-]+$",
                        "description": "Names its files; default: the name "
                        "of the task file.",
                    },
                    "task": {**_TEXT, "description": "Rally's task file."},
                    "arguments": {
                        **_TEXT,
                        "description": "A file with its arguments.",
                    },
                    "deadline_s": {
                        **_SECONDS,
                        "description": "Seconds after which it is "
                        "interrupted; default: when the night is over.",
                    },
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
            "description": "How many nights' folders stay; the history keeps "
            "the figures of all.",
        },
        "deadline_s": {
            **_SECONDS,
            "description": "Seconds that the night may take: then nothing "
            "begins, and what goes on is interrupted. To tidy up takes at "
            "most grace_s and 700 s more, and for the sandbox to go down "
            "600 s more.",
        },
        "grace_s": {
            **_SECONDS,
            "description": "Seconds that a task which is interrupted has to "
            "remove what it made.",
        },
    },
    "required": ["cloud", "folder", "tasks"],
    "additionalProperties": False,
}


@dataclasses.dataclass(frozen=True)
class Task:
    """One task of Rally.

    :param name: names its files; default: that of the task's file
    :param task: Rally's task file
    :param arguments: file with its arguments, or None
    :param deadline_s: seconds after which it is interrupted, or None
    """

    name: str
    task: pathlib.Path
    arguments: pathlib.Path | None = None
    deadline_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What runs every night.

    :param sandbox: whether the cloud is the sandbox
    :param clouds_yaml: else the name of a cloud in clouds.yaml
    :param openrc: else a file of variables
    :param folder: gets a folder for each night, the history and the pages
    :param across: conditions in which compared runs may differ, of
        :data:`~rally_magnum_scale.measurement.conditions.KEYS`
    :param keep: how many nights' folders stay; the history keeps all
    :param deadline_s: of the night: then nothing begins, and what goes on is
        interrupted; to tidy up takes at most grace_s and 700 s more, and
        for the sandbox to go down 600 s more
    :param grace_s: how long a task that is interrupted may remove what it
        made
    """

    folder: pathlib.Path
    tasks: tuple[Task, ...]
    sandbox: bool = False
    clouds_yaml: str = ""
    openrc: pathlib.Path | None = None
    across: tuple[str, ...] = ()
    keep: int = 30
    deadline_s: float = 8 * 3600.0
    grace_s: float = 1800.0

    @property
    def cloud(self) -> str:
        """Name the cloud in words."""
        if self.sandbox:
            return "the sandbox"
        return self.clouds_yaml or f"the cloud of {self.openrc}"


def read(path: pathlib.Path) -> Settings:
    """Read the file; paths in it are relative to its folder.

    :raises InvalidInput: when a key can't be right, or a file is missing
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise exceptions.InvalidInput(
            f"The file {path} can't be read: {error.strerror}."
        ) from error
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"The file {path} is no UTF-8 text: {error}."
        ) from error
    # PyYAML lets the error of a date that is none through.
    except (yaml.YAMLError, ValueError) as error:
        raise exceptions.InvalidInput(
            f"The file {path} is no YAML: {' '.join(str(error).split())}."
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
            "`clouds_yaml: NAME` and `openrc: FILE`."
        )
    raise exceptions.InvalidInput(f"{key} in {path}: {error.message}.")


def _check_seconds(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Refuse what is a number of YAML and never comes to its end."""
    for key, seconds in _seconds(content):
        if not 0 < seconds <= _MOST_S:
            raise exceptions.InvalidInput(
                f"{key} in {path}: {seconds} is no number of seconds that "
                "can be waited for; give one of at most "
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
    numbers = {
        key: content[key]
        for key in ("deadline_s", "grace_s")
        if key in content
    }
    return Settings(
        folder=(base / content["folder"]).resolve(),
        tasks=tuple(_task(base, one) for one in content["tasks"]),
        sandbox=cloud.get("sandbox", False),
        clouds_yaml=cloud.get("clouds_yaml", ""),
        openrc=base / openrc if openrc else None,
        across=tuple(content.get("across", ())),
        # 3.0 is an integer of JSON Schema, too.
        keep=int(content.get("keep", Settings.keep)),
        **numbers,
    )


def _task(base: pathlib.Path, one: Mapping[str, Any]) -> Task:
    task, arguments = base / one["task"], one.get("arguments")
    return Task(
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
                f"tasks[{place}].name: {one.name} is taken, and so are the "
                "files of that name; give the task another one."
            )
        for key, path in (("task", one.task), ("arguments", one.arguments)):
            if path and not path.is_file():
                raise exceptions.InvalidInput(
                    f"tasks[{place}].{key}: there is no file {path}."
                )
    if settings.openrc and not settings.openrc.is_file():
        raise exceptions.InvalidInput(
            f"cloud.openrc: there is no file {settings.openrc}."
        )
