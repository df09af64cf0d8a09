"""The file that says what runs every night."""

import pathlib

import pytest
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import settings

SAMPLES = pathlib.Path(__file__).parents[3] / "samples/nightly"


@pytest.fixture
def write(tmp_path):
    (tmp_path / "task.json").write_text("{}")

    def write_it(**changes):
        content = {
            "cloud": {"sandbox": True},
            "folder": "nights",
            "tasks": [{"task": "task.json"}],
        }
        path = tmp_path / "nightly.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        return path

    return write_it


def test_paths_are_seen_from_the_file(write, tmp_path):
    (tmp_path / "openrc").touch()
    read = settings.read(
        write(cloud={"openrc": "openrc"}, keep=3.0, across=["versions"])
    )
    assert read.folder == tmp_path / "nights"
    assert read.openrc == tmp_path / "openrc"
    assert read.tasks == (
        settings.TaskSettings("task", tmp_path / "task.json"),
    )
    # A slice takes no 3.0.
    assert (repr(read.keep), read.across) == ("3", ("versions",))
    assert (read.sandbox, read.deadline_s, read.grace_s) == (0, 28800, 1800)


def test_a_cloud_may_have_a_region(write):
    read = settings.read(write(cloud={"clouds_yaml": "mine", "region": "R"}))
    assert (read.clouds_yaml, read.region) == ("mine", "R")


@pytest.mark.parametrize("name", ["sandbox.yaml", "cloud.yaml"])
def test_the_samples_are_right(name):
    read = settings.read(SAMPLES / name)
    assert read.tasks
    assert sum(one.deadline_s for one in read.tasks) <= read.deadline_s


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cloud": {}}, "cloud in .*: give exactly one of `sandbox: true`"),
        ({"cloud": {"sandbox": True, "openrc": "x"}}, "give exactly one of"),
        ({"cloud": {"region": "R"}}, "cloud in .*: give exactly one of"),
        (
            {"cloud": {"sandbox": True, "region": "R"}},
            "cloud in .*, and `region: NAME` only beside `clouds_yaml`.",
        ),
        ({"cloud": {"sandbox": False}}, "cloud.sandbox in .*: True was"),
        ({"cloud": {"openrc": "x"}}, "cloud.openrc: the file .*/x does not"),
        ({"kept": 3}, r"the file in .*\('kept' was unexpected\)"),
        ({"keep": 0}, "keep in .*: 0 is less than the minimum of 1"),
        ({"across": ["weather"]}, r"across\[0\] in .*: 'weather' is not one"),
        ({"tasks": []}, "tasks in .*: \\[\\] should be non-empty"),
        ({"deadline_s": 0}, "deadline_s in .*: 0 is less than or equal"),
        ({"deadline_s": float("nan")}, "^deadline_s in .*: nan is not a po"),
        ({"grace_s": float("inf")}, "^grace_s in .*: inf is not a possible"),
        ({"deadline_s": 10**400}, "is not a possible number of seconds"),
        (
            {"tasks": [{"task": "task.json", "deadline_s": float("inf")}]},
            r"^tasks\[0\].deadline_s in .*: inf is not a possible number",
        ),
        ({"tasks": [{"task": "no"}]}, r"tasks\[0\].task: the file .* does"),
        (
            {"tasks": [{"task": "task.json", "arguments": "no"}]},
            r"tasks\[0\].arguments: the file .* does not exist",
        ),
        (
            {"tasks": [{"task": "task.json"}] * 2},
            r"tasks\[1\].name: another task .* the name task",
        ),
        (
            {"tasks": [{"task": "task.json", "name": "summary"}]},
            r"tasks\[0\].name: another task .* name summary",
        ),
        (
            {"tasks": [{"task": "task.json", "name": "../up"}]},
            r"tasks\[0\].name in .*: '../up' does not match",
        ),
    ],
)
def test_a_wrong_setting_is_named(write, changes, why):
    with pytest.raises(exceptions.InvalidInput, match=why):
        settings.read(write(**changes))


def test_an_unreadable_settings_file_is_refused(tmp_path):
    path = tmp_path / "nightly.yaml"
    with pytest.raises(exceptions.InvalidInput, match="can't be read: No su"):
        settings.read(path)
    path.write_bytes("folder: Nächte".encode("latin-1"))
    with pytest.raises(exceptions.InvalidInput, match="is not UTF-8 text: "):
        settings.read(path)
    path.write_text("folder: 2026-13-41")
    with pytest.raises(exceptions.InvalidInput, match="is not YAML: month"):
        settings.read(path)
    path.write_text("tasks: [")
    with pytest.raises(exceptions.InvalidInput, match="is not YAML: while"):
        settings.read(path)
    path.write_text("")
    with pytest.raises(exceptions.InvalidInput, match="the file in"):
        settings.read(path)
