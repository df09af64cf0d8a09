"""Versions that stand in several places are one and the same."""

import pathlib
import re

from rally_magnum_sandbox import artifacts
from rally_magnum_scale.task.scenarios import workload_arguments

ROOT = pathlib.Path(__file__).parents[2]


def test_locust_is_one_version_everywhere():
    pinned = re.search(
        r"^locust==(\S+)$",
        (ROOT / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    assert pinned
    for image in (workload_arguments.LOCUST_IMAGE, artifacts.LOCUST_IMAGE):
        assert image.endswith(f":{pinned[1]}")
    arguments = (ROOT / "samples/args").glob("*.json")
    tags = [
        tag
        for file in arguments
        for tag in re.findall(r"/locust:([^\"]+)", file.read_text())
    ]
    assert set(tags) == {pinned[1]}
