"""The checks of a demo's input before the sandbox is created."""

import json
import pathlib

import pytest

from rally_magnum_sandbox import cli
from rally_magnum_sandbox import demo_input
from rally_magnum_sandbox import settings
from rally_magnum_scale import exceptions

SAMPLES = pathlib.Path(__file__).parents[3] / "samples"
TASK = '{"version": 2, "nodes": {{ nodes|default(3) }}, "x": "{{ name }}"}'


@pytest.fixture
def files(tmp_path):
    (tmp_path / "task").write_text(TASK)
    (tmp_path / "args").write_text('{"name": "n"}')
    return tmp_path


def check(files):
    demo_input.check(files / "task", files / "args", files / "reports")


@pytest.mark.parametrize(
    "task", sorted(x.name for x in (SAMPLES / "tasks").glob("*.json"))
)
def test_the_sample_tasks_are_accepted(task, tmp_path):
    demo_input.check(SAMPLES / "tasks" / task, None, tmp_path)


def test_checking_creates_no_files(files):
    check(files)
    assert not (files / "reports").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "must contain an object of names and values"),
        ("{1: 2}", "must contain an object of names and values"),
        ("{unclosed", "neither JSON nor YAML"),
        (
            "{}",
            "an argument that --args does not provide: 'name' is undefined",
        ),
    ],
)
def test_invalid_arguments_are_refused(files, text, words):
    (files / "args").write_text(text)
    with pytest.raises(exceptions.InvalidInput) as caught:
        check(files)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ name", "is not a valid Jinja2 template"),
        ("{% include 'none' %}", "is not a valid Jinja2 template"),
        ("{{ 1 // 0 }}", "can't be rendered with these values"),
        ("{{ name + 1 }}", "can't be rendered with these values"),
        ('{"a": [}', "is neither JSON nor YAML"),
        ("{}", "contains no Rally task"),
        ("", "contains no Rally task"),
        ("just words", "contains no Rally task"),
    ],
)
def test_invalid_tasks_are_refused(files, text, words):
    (files / "task").write_text(text)
    with pytest.raises(exceptions.InvalidInput) as caught:
        check(files)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_and_binary_files_are_refused(files):
    for name in ("task", "args"):
        (files / name).unlink()
        (files / name).mkdir()
        with pytest.raises(exceptions.InvalidInput, match=f"--{name}: .*read"):
            check(files)
        (files / name).rmdir()
        (files / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(
            exceptions.InvalidInput, match="it is not a text file"
        ):
            check(files)
        (files / name).write_text('{"name": "n"}')


def test_the_reports_path_must_be_a_folder(files):
    (files / "reports").touch()
    with pytest.raises(
        exceptions.InvalidInput, match="--reports: can't write"
    ):
        check(files)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--task", "none"), ("--args", "none"), ("--reports", "args/below")],
)
def test_a_demo_with_bad_input_creates_nothing(
    files, monkeypatch, capsys, option, value
):
    monkeypatch.chdir(files)
    monkeypatch.setenv(settings.STATE_VARIABLE, str(files / "state"))
    monkeypatch.setenv(settings.CACHE_VARIABLE, str(files / "cache"))
    given = {"--task": "task", "--args": "args", option: value}
    before = sorted(x.name for x in files.iterdir())
    assert cli.main(["demo", *(x for pair in given.items() for x in pair)])
    error = capsys.readouterr().err
    assert error.startswith(f"rally-magnum-sandbox: {option}: ")
    assert len(error.splitlines()) == 1
    assert sorted(x.name for x in files.iterdir()) == before


def test_the_template_gets_arguments_and_functions(files):
    (files / "task").write_text("{{ {'v': ceil(number) + min(1, 2)}|tojson }}")
    (files / "args").write_text(json.dumps({"number": 1.5}))
    check(files)
