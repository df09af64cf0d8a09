"""What a demo refuses before anything is made for it."""

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
def test_our_samples_are_fine(task, tmp_path):
    demo_input.check(SAMPLES / "tasks" / task, None, tmp_path)


def test_a_task_and_its_arguments(files):
    check(files)
    assert not (files / "reports").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "holds no object of names and values"),
        ("{1: 2}", "holds no object of names and values"),
        ("{unclosed", "neither JSON nor YAML"),
        ("{}", "an argument that --args does not give: 'name' is undefined"),
    ],
)
def test_impossible_arguments(files, text, words):
    (files / "args").write_text(text)
    with pytest.raises(exceptions.InvalidInput) as caught:
        check(files)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ name", "no template that Rally can read"),
        ("{% include 'none' %}", "no template that Rally can read"),
        ("{{ 1 // 0 }}", "can't be filled with these values"),
        ("{{ name + 1 }}", "can't be filled with these values"),
        ('{"a": [}', "is neither JSON nor YAML"),
        ("{}", "holds no task"),
        ("", "holds no task"),
        ("just words", "holds no task"),
    ],
)
def test_impossible_tasks(files, text, words):
    (files / "task").write_text(text)
    with pytest.raises(exceptions.InvalidInput) as caught:
        check(files)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_no_text_is_not_read(files):
    for name in ("task", "args"):
        (files / name).unlink()
        (files / name).mkdir()
        with pytest.raises(exceptions.InvalidInput, match=f"--{name}: .*read"):
            check(files)
        (files / name).rmdir()
        (files / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(exceptions.InvalidInput, match="it is no text"):
            check(files)
        (files / name).write_text('{"name": "n"}')


def test_pages_need_a_folder(files):
    (files / "reports").touch()
    with pytest.raises(exceptions.InvalidInput, match="--reports: no pages"):
        check(files)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--task", "none"), ("--args", "none"), ("--reports", "args/below")],
)
def test_nothing_is_made_for_a_demo_that_can_not_be(
    files, monkeypatch, capsys, option, value
):
    monkeypatch.chdir(files)
    monkeypatch.setenv(settings.STATE_VARIABLE, str(files / "state"))
    monkeypatch.setenv(settings.CACHE_VARIABLE, str(files / "cache"))
    given = {"--task": "task", "--args": "args", option: value}
    before = sorted(x.name for x in files.iterdir())
    assert cli.main(["demo", *(x for pair in given.items() for x in pair)])
    said = capsys.readouterr().err
    assert said.startswith(f"rally-magnum-sandbox: {option}: ")
    assert len(said.splitlines()) == 1
    assert sorted(x.name for x in files.iterdir()) == before


def test_values_are_given_to_the_template(files):
    (files / "task").write_text("{{ {'v': ceil(number) + min(1, 2)}|tojson }}")
    (files / "args").write_text(json.dumps({"number": 1.5}))
    check(files)
