"""Locust files that are accepted or refused before anything is created."""

import platform

import pytest
from rally.task import scenario

from rally_magnum_scale.workload import locust_file

STEPS = [{"rate_rps": None, "duration_s": 5, "ramp_s": 1}]
GOOD = "from locust import HttpUser\nclass Mine(HttpUser):\n    pass\n"


def errors(**arguments):
    workload = {
        "args": {"nodes": 1, "steps": STEPS, **arguments},
        "contexts": {},
        "runner": {},
    }
    return scenario.Scenario.validate(
        "MagnumScale.throughput", None, workload, None, vtype="syntax"
    )


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "import locust\nclass A(locust.FastHttpUser): pass",
        "from locust import User as Base\nclass A(Base): pass",
        # One that is abstract is what another derives from.
        "from locust import User\n"
        "class A(User):\n    abstract = True\n"
        "class B(A): pass",
        "from locust.contrib.fasthttp import FastHttpUser\n"
        "if True:\n    class A(FastHttpUser): pass",
        "# ü\n" + GOOD,
        # What Locust makes of these is for Locust to say.
        "",
        "class A: pass",
        "from locust import User\nclass A(User):\n    abstract = True",
        "from mine import users\nglobals().update(users)",
        GOOD + "class Shape(__import__('locust').LoadTestShape): pass",
        "def test_it(session):\n    session.get('/')",
        "\ufeff" + GOOD,
        "# -*- coding: latin-1 -*-\n# ü\n" + GOOD,
        # Too deep for the parser of some versions of Python.
        GOOD + "a = " + "-" * 100_000 + "1",
    ],
)
def test_a_locust_file_passes(write, text):
    assert errors(locust_file=write(text), users=10, spawn_rate=2.5) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A(:", "(line 1: "),
        ("\0", "it is not Python"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (
            GOOD + "class B(:",
            f"it is not Python {platform.python_version()} (",
        ),
        (GOOD + "#" * locust_file.MAX_BYTES, "ConfigMap"),
    ],
)
def test_an_invalid_file_is_refused(write, text, words):
    (message,) = errors(locust_file=write(text), users=10)
    assert "locust_file: " in message
    assert words in message


def test_a_missing_file_is_named(tmp_path):
    path = str(tmp_path / "none.py")
    (message,) = errors(locust_file=path, users=10)
    assert f"locust_file: {path} can't be read (No such file" in message
    (message,) = errors(locust_file=str(tmp_path), users=10)
    assert "can't be read (Is a directory)" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"users": None}, "users: is required with locust_file"),
        ({"workers": 11}, "users: 10 are too few for 11 worker processes"),
        (
            {"steps": [*STEPS, {"rate_rps": 5, "duration_s": 5}]},
            "steps[1].rate_rps: must be null with locust_file",
        ),
        ({"target_address": "pod"}, "target_address: 'pod' works only"),
        ({"connections_per_worker": 5}, "connections_per_worker: 5 works"),
        ({"locust_file": None}, "users: works only with locust_file"),
        (
            {"locust_file": None, "users": None, "spawn_rate": 1},
            "spawn_rate: works only with locust_file",
        ),
    ],
)
def test_arguments_that_conflict_with_a_locust_file_are_named(
    write, changes, words
):
    arguments = {"locust_file": write(GOOD), "users": 10, **changes}
    (message,) = errors(**arguments)
    assert words in message
