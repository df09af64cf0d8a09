"""The documentation builds, and agrees with the code."""

import dataclasses
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rally.plugins
from rally.task import context
from rally.task import scenario
from rally.task import sla

from rally_magnum_scale.in_bay.collector import Collector
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.nightly import settings
from tests.unit import loads

CHECKOUT = Path(__file__).parents[3]
DOCS = CHECKOUT / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the documentation; a warning is an error."""
    folder = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        [CHECKOUT / "tools/build-docs", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={"PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Generate the reference in a folder that no other build uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        pages = importlib.import_module("reference_pages")
    folder = tmp_path_factory.mktemp("generated")
    pages.write(folder)
    return folder


def test_it_builds_without_a_warning(built):
    assert (built / "index.html").is_file()
    for page in ("tutorial", "howto/nightly", "explanation/regression"):
        assert (built / f"{page}.html").is_file()


def test_the_reference_has_every_plugin_record_and_command(built):
    def text(page):
        return (built / "reference" / f"{page}.html").read_text()

    scenarios = text("scenarios")
    for name in ("throughput", "find_max_rate_in_bay", "replace_nodes"):
        assert f"MagnumScale.{name}" in scenarios
    for name in ("request_rate", "recovery_time", "no_regression"):
        assert f'id="{name.replace("_", "-")}"' in text("criteria")
    assert "min_rps_per_pod_core" in text("criteria")
    for kind in records.KINDS:
        assert f">{kind}</span>" in text("records"), kind
    assert "rally-magnum-history check" in text("commands")
    assert "--kubernetes-binaries" in text("commands")
    assert "bay_templates" in text("contexts")
    assert "magnum-scale-openmetrics" in text("exports")
    assert "no_baseline" not in text("history")
    assert "<code" in text("history")


def keys(schema, path=""):
    """Return all keys of a schema, with their own schemas."""
    for name, one in schema["properties"].items():
        yield f"{path}{name}", one
        for inner, place in ((one, "."), (one.get("items", {}), "[].")):
            if "properties" in inner:
                yield from keys(inner, f"{path}{name}{place}")


def test_the_page_describes_every_key_of_the_settings(generated):
    text = (generated / "nightly.md").read_text()
    told = dict(re.findall(r"^`(.+?)` \((.+)\)\n: \S", text, re.MULTILINE))
    assert list(told) == [name for name, _ in keys(settings.SCHEMA)]
    assert told["cloud"] == "object, required"
    assert told["cloud.sandbox"] == "`true`"
    assert told["tasks[].task"] == "string, required"
    assert told["keep"] == "integer, default `30`"
    assert told["across"].startswith('array of `"cloud"` or ')


def ours(base):
    """Return our plugins of a kind, with Rally's description of each."""
    rally.plugins.load()
    for each in base.get_all():
        if each.__module__.startswith("rally_magnum_scale."):
            yield each.get_name(), each.get_info()


def test_every_key_of_a_criterion_has_a_description():
    found = {
        (name, key): one.get("description")
        for name, about in ours(sla.SLA)
        for key, one in keys(about["schema"])
    }
    assert len({name for name, _ in found}) > 10
    assert [key for key, words in found.items() if not words] == []


def test_every_argument_of_a_scenario_has_a_description():
    found = {
        (name, one["name"]): one["doc"]
        for name, about in ours(scenario.Scenario)
        for one in about["parameters"]
    }
    assert {name for name, _ in found} == dict(ours(scenario.Scenario)).keys()
    assert [key for key, words in found.items() if not words] == []
    for name, about in ours(scenario.Scenario):
        schema = about["schema"] or {"properties": {}}
        for key in schema["properties"]:
            assert (name, key) in found


def test_every_key_of_a_context_has_a_description():
    for name, about in ours(context.Context):
        said = f"{about['title']} {about['description']}"
        for key, one in (about["schema"] or {}).get("properties", {}).items():
            words = one.get("description") or re.search(rf"\b{key}\b", said)
            assert words, (name, key)


def test_no_key_of_the_reference_lacks_a_description(generated):
    for page in generated.glob("*.md"):
        bare = re.search(r"^.*\n:\s*$", page.read_text(), re.MULTILINE)
        assert bare is None, (page.name, bare.group())


def collected():
    """Return a start, an event and an end as a load writes them."""
    collector = Collector(loads.job("http://x/", Step(20, 1)))
    collector.begin(["one"], 100)
    start = collector.start(99.5, {})
    collector.note(100, "worker_died", "worker one died")
    (event, *_, end) = collector.end(101)
    return start, event, end


def test_the_page_of_records_has_the_fields_that_a_load_writes():
    text = (DOCS / "reference/records.md").read_text()
    told = {}
    for part in re.split("^## ", text, flags=re.MULTILINE)[1:]:
        head = part.partition("\n")[0]
        told[head] = set(re.findall(r"^`(\w+)` \(", part, re.MULTILINE))
    start, event, end = (
        set(record) - set(records.Source("t", 1, "b").envelope("start", {}))
        for record in collected()
    )
    assert (told["`start`"], told["`event`"]) == (start, event)
    known = {field.name for field in dataclasses.fields(records.End)}
    assert told["More of `end`"] == end - known


@pytest.mark.parametrize("name", ["README", "CONTRIBUTING", "SECURITY"])
def test_links_outside_the_docs_exist(name):
    text = (CHECKOUT / f"{name}.md").read_text()
    found = re.findall(r"\]\(([^)#]+)", text)
    local = [one for one in found if not one.startswith("http")]
    assert name != "README" or len(local) > 5
    assert [one for one in local if not (CHECKOUT / one).exists()] == []


def test_the_files_that_a_page_names_exist():
    pages = (*DOCS.glob("*.md"), *DOCS.glob("[!g]*/*.md"))
    own = (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md")
    for page in (*own, *pages):
        for path in re.findall(
            r"\b((?:samples|tools|packaging|playbooks)/[\w./-]+)",
            page.read_text(),
        ):
            assert (CHECKOUT / path.rstrip(".")).exists(), (page.name, path)
