"""Versions that stand in several places are one and the same."""

import configparser
import pathlib
import re

from packaging import requirements
from packaging import utils
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


def test_everything_that_is_installed_has_an_exact_version():
    pinned = {
        utils.canonicalize_name(one.name): str(one.specifier)
        for one in _requirements("constraints.txt")
    }
    extra = configparser.ConfigParser()
    extra.read(ROOT / "setup.cfg")
    wanted = [
        *_requirements("requirements.txt"),
        *_requirements("test-requirements.txt"),
        *map(
            requirements.Requirement,
            re.findall(r"^\w.*$", extra["extras"]["regression"], re.MULTILINE),
        ),
    ]
    for one in wanted:
        version = pinned[utils.canonicalize_name(one.name)]
        assert version.startswith("==")
        assert one.specifier.contains(version.removeprefix("=="))


def _requirements(name):
    lines = (ROOT / name).read_text().splitlines()
    return [
        requirements.Requirement(line)
        for line in lines
        if line and not line.startswith("#")
    ]
