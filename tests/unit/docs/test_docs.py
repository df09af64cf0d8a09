"""The documentation: it builds, and says of the code what is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rally_magnum_scale.measurement import records

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
    # These two are told in words: a load's begin, and what happened to it.
    for kind in set(records.KINDS) - {"start", "event"}:
        assert f">{kind}</span>" in text("records"), kind
    assert "rally-magnum-history check" in text("commands")
    assert "--kubernetes-binaries" in text("commands")
    assert "bay_templates" in text("contexts")
    assert "magnum-scale-openmetrics" in text("exports")
    assert "no_baseline" not in text("history")
    assert "<code" in text("history")


def test_no_field_of_a_setting_is_without_words(built):
    page = (built / "howto/nightly.html").read_text()
    assert "how many nights" in page
    assert "deadline_s" in page


def test_the_links_of_the_readme_lead_somewhere():
    found = re.findall(r"\]\(([^)#]+)", (CHECKOUT / "README.md").read_text())
    local = [one for one in found if not one.startswith("http")]
    assert len(local) > 5
    assert [one for one in local if not (CHECKOUT / one).exists()] == []


def test_what_a_page_says_to_run_is_there():
    for page in (CHECKOUT / "README.md", *DOCS.glob("[!g]*/*.md")):
        for path in re.findall(
            r"\b((?:samples|tools|packaging|playbooks)/[\w./-]+)",
            page.read_text(),
        ):
            assert (CHECKOUT / path.rstrip(".")).exists(), (page.name, path)
