"""Versions that stand in several places are one and the same."""

import pathlib
import re

from rally_magnum_sandbox import artifacts
from rally_magnum_scale.in_bay import collector
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.workload import load_spec

ROOT = pathlib.Path(__file__).parents[2]


def test_locust_is_one_version_everywhere():
    pinned = re.search(
        r"^locust==(\S+)$",
        (ROOT / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    assert pinned
    for image in (load_spec.LOCUST_IMAGE, artifacts.LOCUST_IMAGE):
        assert image.endswith(f":{pinned[1]}")
    arguments = (ROOT / "samples/args").glob("*.json")
    tags = [
        tag
        for file in arguments
        for tag in re.findall(r"/locust:([^\"]+)", file.read_text())
    ]
    assert set(tags) == {pinned[1]}


def test_records_are_written_in_the_version_that_is_read():
    assert collector.VERSION == records.VERSION
