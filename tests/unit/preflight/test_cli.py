"""The command as a user runs it, with a real Rally."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from rally_magnum_scale import cloud_commands
from rally_magnum_scale.preflight import cli
from rally_magnum_scale.preflight import rows
from tests.unit.preflight import fake_bay
from tests.unit.preflight import fake_cloud

SAMPLES = pathlib.Path(__file__).parents[3] / "samples/tasks"
SAMPLE = SAMPLES / "2m-rps.json"
IN_BAY = "in an existing bay"
SHORT = "short"
ENOUGH = "enough"
RUNS = {
    SHORT: [SAMPLE, "--task-args", '{"nodes": 300}'],
    ENOUGH: [
        *(SAMPLE, "--json", "--env", "fake"),
        *("--heat-max-resources", "-1"),
    ],
    "no database": [SAMPLE],
    "no environment": [SAMPLE],
    "missing": ["missing.json"],
    "list": [SAMPLE, "--task-args", "[1]"],
    "other": [SAMPLE, "--env", "none"],
    "option": [SAMPLE, "--colour"],
    "gone": [SAMPLE, "--env", "gone"],
}
# All runs in one process, because loading Rally takes seconds.  Its set-up of
# the log would disturb other tests.
PROGRAM = """
import contextlib, io, json, os, sys
from rally import api
from rally.common import db
from rally.env import env_mgr
from rally_magnum_scale import cloud_commands
from rally_magnum_scale.preflight import cli
given, done = json.load(sys.stdin), {}
def run(name):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(given["runs"][name])
        except SystemExit as exit:
            status = exit.code
    done[name] = status, out.getvalue(), err.getvalue()
api.API(skip_db_check=True)
run("no database")
db.schema.schema_create()
os.environ.pop("RALLY_ENV", None)
run("no environment")
for name, spec in given["clouds"].items():
    spec = {"existing@openstack": spec}
    made = env_mgr.EnvManager.create(name, spec)
    if name == "fake":
        os.environ["RALLY_ENV"] = made.uuid
for name in given["runs"].keys() - done:
    run(name)
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run the command in all ways; return status, output and errors."""
    folder = tmp_path_factory.mktemp("rally")
    admin = {
        "username": "admin",
        "password": "secret",
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    with fake_cloud.serve() as cloud, fake_bay.serve() as bay:
        path = fake_bay.kubeconfig(folder / "config", bay.url)
        in_bay = [SAMPLES / "max-rate.json", "--env", "fake", "--task-args"]
        args = {"kubeconfig": path, "targets": 331}
        more = {IN_BAY: [*in_bay, json.dumps(args)]}
        urls = {"gone": "http://127.0.0.1:1", "fake": cloud.url}
        given = {
            "runs": {
                name: [*map(str, given)]
                for name, given in (RUNS | more).items()
            },
            "clouds": {
                name: {"auth_url": f"{url}/v3", "admin": admin}
                for name, url in urls.items()
            },
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={
                **os.environ,
                "OS_DATABASE__CONNECTION": f"sqlite:///{folder}/rally.sqlite",
                "HOME": str(folder),
            },
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_something_is_short(runs):
    status, output, errors = runs[SHORT]
    assert status == cli.EXIT_SHORT, errors
    heading, *lines = output.splitlines()
    assert heading.split()[:4] == ["what", "need", "have", "verdict"]
    (line,) = [line for line in lines if line.startswith("addresses")]
    assert "301 to 302 253 short" in " ".join(line.split())
    assert "set the label fixed_subnet_cidr" in line
    assert lines[-1].endswith("2 short.")


def test_a_load_in_an_existing_bay(runs):
    status, output, errors = runs[IN_BAY]
    assert status == cli.EXIT_SHORT, errors
    (line,) = [one for one in output.splitlines() if "the targets" in one]
    assert " ".join(line.split()).startswith(
        "room for the targets 331 room for 330 on 3 nodes short"
    )
    assert "cluster template" not in output


def test_json_of_a_task_for_which_there_is_enough(runs):
    status, output, errors = runs[ENOUGH]
    assert status == 0, errors
    shown = json.loads(output)
    assert shown["short"] == shown["unknown"] == 0
    assert shown["enough"] == len(shown["rows"])
    assert shown["rows"][0]["what"] == "cluster template"


@pytest.mark.parametrize(
    ("run", "expected", "words"),
    [
        ("no database", cloud_commands.EXIT_INVALID, "rally db create"),
        ("no environment", cloud_commands.EXIT_INVALID, "rally env create"),
        ("missing", cloud_commands.EXIT_INVALID, "missing.json"),
        ("list", cloud_commands.EXIT_INVALID, "can't read"),
        ("other", cloud_commands.EXIT_INVALID, "'none'"),
        ("option", cloud_commands.EXIT_INVALID, "--colour"),
        ("gone", cloud_commands.EXIT_NO_CLOUD, "127.0.0.1:1"),
    ],
)
def test_what_ends_without_a_table(runs, run, expected, words):
    status, output, errors = runs[run]
    assert (status, output) == (expected, ""), errors
    assert words in errors
    assert "Traceback" not in errors


def test_a_bug_is_no_shortage(monkeypatch, capsys):
    def broken(_options):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_compare", broken)
    assert cli.main(["task.json"]) == cloud_commands.EXIT_NO_CLOUD
    assert "report it" in capsys.readouterr().err


def test_the_table_names_the_workload_of_several(monkeypatch, capsys):
    found = [
        rows.Row("a", "1", "2", rows.ENOUGH),
        rows.Row("bb", "1", "?", rows.UNKNOWN, "why", workload="w (1 of 2)"),
    ]
    monkeypatch.setattr(cli, "_compare", lambda _options: found)
    assert cli.main(["task.json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "what            need  have  verdict  what to change",
        "a               1     2     enough",
        "bb: w (1 of 2)  1     ?     unknown  why",
        "",
        "1 enough, 1 unknown, 0 short.",
    ]
