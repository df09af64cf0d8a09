"""Generate the reference from docstrings, schemas and parsers."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib
import inspect
import json
import pathlib
import re
import tomllib
from typing import Any

import rally.plugins
from rally.common.plugin import info
from rally.task import context
from rally.task import exporter
from rally.task import scenario
from rally.task import sla

from rally_magnum_sandbox import cli as sandbox_cli
from rally_magnum_scale.bays import failure_classes
from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_results
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import metrics
from rally_magnum_scale.nightly import cli as nightly_cli
from rally_magnum_scale.nightly import history_cli
from rally_magnum_scale.nightly import settings as nightly_settings
from rally_magnum_scale.preflight import cli as preflight_cli
from rally_magnum_scale.reap import cli as reap_cli

OURS = "rally_magnum_scale."
SURVIVORS = pathlib.Path(__file__).parents[1] / "tests/survivors.toml"
RECORDS = {
    "conditions": conditions.ConditionsRecord,
    "bay": bay_records.Bay,
    "node_change": bay_records.NodeChange,
    "api_latency": bay_records.ApiLatency,
    "window": windows.Window,
    "end": records.End,
    "throughput": records.Throughput,
    "one of `steps` of a `throughput`": step_results.StepResult,
    "trial": records.Trial,
    "max_rate": records.MaxRate,
    "update": disruption_records.Update,
    "fault": disruption_records.Fault,
}
# For a key that the description of its plugin explains.
SEE_ABOVE = "see the description above"
_BAY_SCENARIO = "MagnumScale.create_and_delete_bay"
COMMANDS = (nightly_cli, history_cli, preflight_cli, reap_cli, sandbox_cli)


def write(folder: pathlib.Path) -> None:
    """Write all pages of the reference into a folder."""
    rally.plugins.load()
    folder.mkdir(exist_ok=True)
    pages = {
        "scenarios": _plugins(scenario.Scenario),
        "contexts": _plugins(context.Context),
        "criteria": _criteria(),
        "exports": _plugins(exporter.TaskExporter),
        "records": _records(),
        "history": _history(),
        "commands": _commands(),
        "nightly": _nightly(),
        "failures": _failures(),
        "survivors": _survivors(),
    }
    for name, lines in pages.items():
        (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


def _failures() -> list[str]:
    lines = ["| class | what has happened | what to do |", "|---|---|---|"]
    lines += [
        f"| `{each.name}` | {each.cause} | {each.remedy} |"
        for each in failure_classes.CLASSES
    ]
    return lines


def _survivors() -> list[str]:
    """List the mutants that no test can notice, and why."""
    found = tomllib.loads(SURVIVORS.read_text())["survivor"]
    lines = ["| module | line | what it became | why no test notices |"]
    lines.append("|---|---|---|---|")
    for each in found:
        cells = (
            each["module"].removeprefix("rally_magnum_scale/"),
            *(f"`` {_cell(each[key])} ``" for key in ("before", "after")),
            each["why"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plugins(base: Any) -> list[str]:
    found = [c for c in base.get_all() if c.__module__.startswith(OURS)]
    lines = []
    for each in sorted(found, key=lambda c: c.get_name()):
        # Contexts that other contexts need have no keys of their own.
        if base is context.Context and not _properties(each):
            continue
        lines += _plugin(each)
    return lines


def _plugin(each: Any) -> list[str]:
    about = each.get_info()
    lines = [f"## `{each.get_name()}`", "", _words(about["title"]), ""]
    lines += [_words(about["description"] or ""), ""]
    needed = (about["schema"] or {}).get("required", [])
    said = {one["name"]: one["doc"] for one in about["parameters"]}
    for name, schema in sorted(_properties(each).items()):
        words = said.get(name) or schema.get("description")
        words = words or _bay_arguments().get(name) or SEE_ABOVE
        lines += _key(name, schema, words, name in needed)
    return lines


@functools.cache
def _bay_arguments() -> dict[str, str]:
    """Return the arguments of a new bay, which the context `bays` shares."""
    about = scenario.Scenario.get(_BAY_SCENARIO).get_info()
    return {one["name"]: one["doc"] for one in about["parameters"]}


def _key(
    name: str, schema: dict[str, Any], words: str, needed: bool
) -> list[str]:
    need = ", required" if needed else ""
    if "default " in words:
        schema = {**schema, "default": None}
    return [f"`{name}` ({_kind(schema)}{need})", f": {_line(words)}", ""]


def _properties(each: Any) -> dict[str, Any]:
    return (each.get_info()["schema"] or {}).get("properties", {})


def _nightly() -> list[str]:
    """Describe the keys of the settings, with their defaults."""
    schema = nightly_settings.SCHEMA
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(nightly_settings.Settings)
        if field.default not in (dataclasses.MISSING, ())
    }
    properties = {
        name: {"default": defaults.get(name), **one}
        for name, one in schema["properties"].items()
    }
    return _keys({**schema, "properties": properties})


def _keys(schema: dict[str, Any], path: str = "") -> list[str]:
    """Describe the keys, each object before its own keys."""
    lines = []
    for name, one in schema["properties"].items():
        key, needed = f"{path}{name}", name in schema.get("required", [])
        lines += _key(key, one, one["description"], needed)
        if "properties" in one:
            lines += _keys(one, f"{key}.")
        elif "properties" in one.get("items", {}):
            lines += _keys(one["items"], f"{key}[].")
    return lines


def _criteria() -> list[str]:
    # This module needs options that loading the plugins registers.
    measured = importlib.import_module(f"{OURS}task.scenarios.measured")
    lines = []
    for each in criteria.CRITERIA.values():
        lines += [f"## `{each.name}`", "", each.summary, ""]
        by = sorted(measured.scenarios_that_measure(each.name))
        names = (f"`{one.removeprefix('MagnumScale.')}`" for one in by)
        lines += [f"Measured by {', '.join(names)}.", ""]
        for key, bound in each.bounds.items():
            lines += [
                f"`{key}` ({bound.unit}, at "
                f"{'least' if bound.at_least else 'most'})",
                f": {_line(bound.description)}.",
                "",
            ]
        for key in sorted(set(each.schema()["properties"]) - set(each.bounds)):
            words = each.schema()["properties"][key]["description"]
            lines += [f"`{key}`", f": {_line(words)}", ""]
    return lines + _plugin(sla.SLA.get("no_regression"))


def _records() -> list[str]:
    lines = []
    for kind, body in RECORDS.items():
        title = kind if "`" in kind else f"`{kind}`"
        lines += [f"## {title[:1].upper()}{title[1:]}", ""]
        lines += [*_summary(body), "", *_fields(body)]
    return lines


def _history() -> list[str]:
    lines = []
    for body in (
        storage.StoredRun,
        conditions.Conditions,
        storage.Judged,
        metrics.Metric,
    ):
        lines += [f"## {body.__name__}", "", *_summary(body), ""]
        lines += _fields(body)
    return lines


def _summary(body: type) -> list[str]:
    about = info.parse_docstring(inspect.getdoc(body))
    parts = (about["short_description"], "", about["long_description"])
    return [_words(one or "") for one in parts]


def _fields(body: Any) -> list[str]:
    """Return the fields of a dataclass, described by its docstring."""
    # A class may override what its base classes say about a field.
    said = {}
    for base in reversed(body.__mro__):
        if dataclasses.is_dataclass(base):
            about = info.parse_docstring(inspect.getdoc(base))
            said |= {one["name"]: one["doc"] for one in about["params"]}
    lines = []
    for field in dataclasses.fields(body):
        words = _line(said.get(field.name, "")) or _spelt_out(field.name)
        lines += [f"`{field.name}` ({_type(field)})", f": {words}", ""]
    return lines


def _spelt_out(name: str) -> str:
    return name.replace("_", " ").replace("kubernetes", "Kubernetes")


def _type(field: dataclasses.Field[Any]) -> str:
    return f"`{field.type}`" + (
        f", default `{field.default}`"
        if field.default not in (dataclasses.MISSING, "", (), None)
        else ""
    )


def _commands() -> list[str]:
    lines = []
    for module in COMMANDS:
        parser = module._parser()
        # argparse wraps the help to 80 columns without a terminal.
        lines += [f"## `{parser.prog}`", "", *_help(parser)]
        for action in parser._actions:
            for name, one in (getattr(action, "choices", None) or {}).items():
                lines += [f"### `{parser.prog} {name}`", "", *_help(one)]
    return lines


def _help(parser: argparse.ArgumentParser) -> list[str]:
    return ["```text", parser.format_help().rstrip(), "```", ""]


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a value, or its possible values, in words."""
    only = schema.get("enum") or [schema[k] for k in schema if k == "const"]
    if only:
        return " or ".join(f"`{json.dumps(one)}`" for one in only)
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    said = " or ".join(kinds)
    if "enum" in schema.get("items", {}):
        said += f" of {_kind(schema['items'])}"
    if schema.get("default") not in (None, {}, []):
        said += f", default `{json.dumps(schema['default'])}`"
    return said


def _line(text: str) -> str:
    return " ".join(_words(text).split())


def _words(text: str) -> str:
    """Turn the markup of docstrings into that of the pages."""
    text = re.sub(r":[a-z]+:`~?([^`]+)`", _last_name, text)
    return text.replace("``", "`").strip()


def _last_name(match: re.Match[str]) -> str:
    return f"`{match.group(1).rpartition('.')[2]}`"
