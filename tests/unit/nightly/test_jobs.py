"""The job definitions that start a night: for Zuul, GitHub, systemd, Rally.

Each file is read by the tool that it is for.  Zuul has no checker of its own
that could be installed without all of Zuul, so ``.zuul.yaml`` is held against
a closed list of the keys that it uses, with the types that Zuul's own
``configloader`` gives them, and every path in it must exist.
"""

import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest
import yaml
from rally import api
from rally import exceptions
from rally import plugins
from rally.task import engine
from rally.task import task_cfg

from rally_magnum_scale import commands
from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import sandbox
from rally_magnum_scale.nightly import settings

ROOT = pathlib.Path(__file__).parents[3]
PROGRAMS = pathlib.Path(sys.prefix) / "bin"
SANDBOX = "samples/nightly/sandbox.yaml"
COMMAND = ["tools/in-venv", "rally-magnum-nightly", SANDBOX]
PLAYBOOKS = ROOT / "playbooks/nightly"
WORKFLOW = ROOT / ".github/workflows/nightly.yml"
UNITS = ROOT / "packaging/systemd"
RALLY_JOB = ROOT / "rally-jobs/rally-magnum-scale.yaml"
# A tenant of Zuul allows no more, unless it says so.
ZUUL_MOST_S = 10800
# What comes after grace_s: SIGTERM and SIGKILL, two exports of Rally, the
# history, and the end of the sandbox.
LAST_S = (
    2 * processes._LAST_GRACE_S
    + 2 * commands.RALLY_DEADLINE_S
    + storage.LOCK_DEADLINE_S
    + sandbox.DOWN_DEADLINE_S
)
# For a tool that reads a file of ours, on a busy machine.
TOOL_S = 300

_PATH = {"type": "string", "pattern": "^playbooks/.*\\.yaml$"}
_SECONDS = {"type": "integer", "minimum": 1}
_VARIABLE = "^[a-zA-Z][a-zA-Z0-9_]*$"
ZUUL_JOB = {
    "properties": {
        "name": {"type": "string"},
        "parent": {"const": "base"},
        "description": {"type": "string"},
        "nodeset": {"const": "debian-bookworm"},
        "run": _PATH,
        "post-run": _PATH,
        "timeout": _SECONDS,
        "post-timeout": _SECONDS,
        "vars": {
            "type": "object",
            "propertyNames": {"pattern": _VARIABLE},
            "additionalProperties": {"type": "string"},
        },
    },
    "required": ["name", "parent", "nodeset", "run", "post-run", "timeout"],
    "additionalProperties": False,
}
ZUUL_PROJECT = {
    "properties": {
        "periodic": {
            "properties": {
                "jobs": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                }
            },
            "required": ["jobs"],
            "additionalProperties": False,
        }
    },
    "required": ["periodic"],
    "additionalProperties": False,
}
ZUUL = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"job": ZUUL_JOB, "project": ZUUL_PROJECT},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}
# Stands for the module that Zuul itself brings into a playbook.
ZUUL_RETURN = """\
import json, pathlib
from ansible.module_utils.basic import AnsibleModule

def main():
    module = AnsibleModule({"data": {"type": "dict", "required": True}})
    pathlib.Path(@path@).write_text(json.dumps(module.params["data"]))
    module.exit_json()

if __name__ == "__main__":
    main()
"""


def zuul(kind):
    """Return all jobs, or projects, of Zuul's file."""
    found = yaml.safe_load((ROOT / ".zuul.yaml").read_text())
    return [item[kind] for item in found if kind in item]


def zuul_job():
    (job,) = zuul("job")
    return job


def test_the_documented_time_after_the_deadline_is_right():
    assert LAST_S == 1300
    text = " ".join((ROOT / "docs/howto/nightly.md").read_text().split())
    assert "`grace_s` and 700 s" in text
    assert "600 s more for a sandbox" in text
    unit = (UNITS / "rally-magnum-nightly@.service").read_text()
    assert "grace_s and 1300 s" in unit
    schema = settings.SCHEMA["properties"]["deadline_s"]["description"]
    assert "grace_s and 700 s more" in schema
    assert "down 600 s more" in schema


def sample(name):
    return settings.read(ROOT / "samples/nightly" / name)


def at_most_s(name):
    """Return how long a sample's night can take."""
    read = sample(name)
    return read.deadline_s + read.grace_s + LAST_S


def replaced(path, folder, old, new):
    """Copy a file, with something in it made wrong."""
    text = path.read_text()
    assert old in text
    made = folder / path.name
    made.write_text(text.replace(old, new))
    return made


# Zuul


def test_the_file_of_zuul_has_no_key_that_zuul_does_not_know():
    found = yaml.safe_load((ROOT / ".zuul.yaml").read_text())
    jsonschema.validate(found, ZUUL)
    assert zuul_job()["name"] == "rally-magnum-scale-nightly-sandbox"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("post-timeot", 60),
        ("timeout", "2h"),
        ("run", "playbooks/nightly/run.py"),
        ("vars", {"nightly-settings": "x"}),
    ],
)
def test_a_wrong_job_of_zuul_is_refused(key, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"job": zuul_job() | {key: value}}], ZUUL)


def test_every_job_that_zuul_runs_each_night_is_there_with_its_files():
    (project,) = zuul("project")
    assert project["periodic"]["jobs"] == [job["name"] for job in zuul("job")]
    job = zuul_job()
    for path in (job["run"], job["post-run"], job["vars"]["nightly_settings"]):
        assert (ROOT / path).is_file(), path


def test_zuul_fetches_the_folder_that_the_settings_name():
    job = zuul_job()
    read = settings.read(ROOT / job["vars"]["nightly_settings"])
    assert read.folder == ROOT / job["vars"]["nightly_folder"]


def test_zuul_waits_longer_than_a_night_can_take():
    job = zuul_job()
    assert at_most_s("sandbox.yaml") < job["timeout"] <= ZUUL_MOST_S
    assert job["post-timeout"] <= ZUUL_MOST_S


@pytest.fixture
def play(tmp_path):
    """Run a playbook on this machine as Zuul would on a job's node."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "zuul_return.py").write_text(
        ZUUL_RETURN.replace("@path@", repr(str(tmp_path / "returned.json")))
    )
    variables = {
        **zuul_job()["vars"],
        "ansible_become": False,
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_user_dir": str(tmp_path),
        "zuul": {
            "project": {"src_dir": "src/checkout"},
            "executor": {"log_root": str(tmp_path / "logs")},
        },
    }

    def play_it(playbook, *options):
        return subprocess.run(
            [
                *(PROGRAMS / "ansible-playbook", "--inventory", "node,"),
                *("--extra-vars", json.dumps(variables), *options, playbook),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={
                # The one fact that is used is among the variables.
                "ANSIBLE_GATHERING": "explicit",
                "ANSIBLE_LIBRARY": str(library),
                "ANSIBLE_NOCOLOR": "1",
                "HOME": str(tmp_path / "home"),
                "LC_ALL": "C.UTF-8",
                "PATH": os.environ["PATH"],
            },
            timeout=TOOL_S,
        )

    return play_it


@pytest.mark.parametrize("name", ["run.yaml", "post.yaml"])
def test_a_playbook_is_one(play, name):
    done = play(PLAYBOOKS / name, "--syntax-check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("run.yaml", "builtin.command", "builtin.comand"),
        ("run.yaml", "become: true", "becom: true"),
        ("post.yaml", "zuul_return", "zuul_returns"),
        ("post.yaml", "hosts: all", "host: all"),
    ],
)
def test_a_playbook_that_is_wrong_is_none(play, tmp_path, name, old, new):
    wrong = replaced(PLAYBOOKS / name, tmp_path, old, new)
    assert play(wrong, "--syntax-check").returncode != 0


@pytest.mark.parametrize("status", [0, 1])
def test_zuul_runs_the_command_and_takes_over_how_it_ends(
    play, tmp_path, status
):
    tools = tmp_path / "src/checkout/tools"
    tools.mkdir(parents=True)
    program = tools / "in-venv"
    program.write_text(f'#!/bin/sh\necho "$0" "$@" >>called\nexit {status}\n')
    program.chmod(0o755)
    done = play(PLAYBOOKS / "run.yaml")
    assert (done.returncode == 0) == (status == 0), done.stdout + done.stderr
    called = tools.parent / "called"
    assert called.read_text().splitlines() == [" ".join(COMMAND)]


def test_zuul_keeps_the_pages_and_no_password(play, tmp_path):
    nights = tmp_path / "src/checkout/nights"
    for name in (
        "index.html",
        "2026-01-02T030405Z/2m-rps.html",
        "rally/rally.log",
        "rally/rally.sqlite",
        "rally/rally.sqlite-journal",
        *(f"rally/{name}" for name in clouds.SECRETS),
        ".lock",
    ):
        path = nights / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    done = play(PLAYBOOKS / "post.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    logs = tmp_path / "logs"
    assert {
        str(path.relative_to(logs)): path.read_text()
        for path in logs.rglob("*")
        if path.is_file()
    } == {
        "nights/index.html": "index.html",
        "nights/2026-01-02T030405Z/2m-rps.html": (
            "2026-01-02T030405Z/2m-rps.html"
        ),
        "nights/rally/rally.log": "rally/rally.log",
    }
    returned = json.loads((tmp_path / "returned.json").read_text())
    (artifact,) = returned["zuul"]["artifacts"]
    assert artifact == {"name": "Nights", "url": "nights/index.html"}
    assert (logs / artifact["url"]).is_file()


def test_zuul_can_do_without_a_night_that_never_began(play, tmp_path):
    done = play(PLAYBOOKS / "post.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "returned.json").exists()


# GitHub


def workflow():
    """Return GitHub's one job."""
    # PyYAML takes the key `on` for a truth value.
    found = yaml.safe_load(WORKFLOW.read_text())
    (job,) = found["jobs"].values()
    return job


def step(**wanted):
    """Return the one step that has these words at these keys."""
    (found,) = (
        one
        for one in workflow()["steps"]
        if all(words in one.get(key, "") for key, words in wanted.items())
    )
    return found


def check_workflow(path):
    return subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.github-workflows", path),
        ],
        capture_output=True,
        text=True,
        timeout=TOOL_S,
    )


def test_the_workflow_is_one_of_github():
    done = check_workflow(WORKFLOW)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("runs-on:", "run-on:"),
        ("timeout-minutes: 110", "timeout-minute: 110"),
        ("workflow_dispatch:", "workflow_dispatsch:"),
        ("contents: read", "contents: some"),
    ],
)
def test_a_workflow_that_is_wrong_is_none(tmp_path, old, new):
    done = check_workflow(replaced(WORKFLOW, tmp_path, old, new))
    assert done.returncode == 1, done.stdout


def test_github_runs_the_command_and_takes_over_how_it_ends():
    night = step(run="rally-magnum-nightly")
    assert night["run"].split() == COMMAND
    assert "continue-on-error" not in night
    assert "continue-on-error" not in workflow()


def test_github_waits_longer_than_a_night_can_take():
    night_s = step(run="rally-magnum-nightly")["timeout-minutes"] * 60
    assert at_most_s("sandbox.yaml") < night_s
    # What is uploaded after that is uploaded by the same job.
    assert night_s < workflow()["timeout-minutes"] * 60


def test_github_keeps_the_nights_however_they_end_and_no_password():
    upload = step(uses="actions/upload-artifact@")
    assert upload["if"] == "always()"
    kept, *left_out = upload["with"]["path"].split()
    assert ROOT / kept == sample("sandbox.yaml").folder
    assert left_out == [f"!{kept}/**/*.sqlite*", f"!{kept}/**/spec.*"]
    for name in clouds.SECRETS:
        assert pathlib.PurePath(name).match("spec.*")


def test_github_hands_the_history_on_to_the_next_night():
    restored, saved = (
        step(uses=f"actions/cache/{deed}@") for deed in ("restore", "save")
    )
    assert saved["if"] == "always()"
    assert saved["with"]["path"] == restored["with"]["path"]
    assert (
        ROOT / saved["with"]["path"]
        == sample("sandbox.yaml").folder / "history.jsonl"
    )
    # One that was saved is never changed: each run has a key of its own.
    assert "github.run_id" in saved["with"]["key"]
    assert saved["with"]["key"].startswith(restored["with"]["restore-keys"])


# systemd


def unit(kind):
    """Return a section of each kind of unit that systemd would read."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    text = (UNITS / f"rally-magnum-nightly@.{kind}").read_text()
    parser.read_string(text)
    return parser


@pytest.fixture
def verify(tmp_path):
    """Let systemd read the units, as if the package were installed here."""
    if not shutil.which("systemd-analyze"):
        pytest.fail(
            "systemd-analyze is missing; install the Debian package systemd"
        )

    def verify_it(old="", new=""):
        paths = []
        for path in sorted(UNITS.iterdir()):
            text = path.read_text().replace(
                "/opt/rally-magnum-scale/bin", str(PROGRAMS)
            )
            made = tmp_path / path.name
            made.write_text(text.replace(old, new) if old else text)
            paths.append(made)
        return subprocess.run(
            [
                *("systemd-analyze", "verify", "--man=no"),
                # Other units of this machine are no business of ours.
                *("--recursive-errors=no", *paths),
            ],
            capture_output=True,
            text=True,
            timeout=TOOL_S,
        )

    return verify_it


def test_systemd_reads_the_units(verify):
    done = verify()
    assert done.returncode == 0, done.stderr
    assert "rally-magnum-nightly" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("KillMode=mixed", "KillMode=mixt"),
        ("KillSignal=SIGINT", "KillSignal=SIGNIT"),
        ("TimeoutStopSec=", "TimeoutStopSec=about "),
        ("Type=oneshot", "Type=onshot"),
        ("Persistent=", "Persistant="),
        ("OnCalendar=*-*-*", "OnCalendar=*-13-*"),
        ("bin/rally-magnum-nightly ", "bin/rally-magnum-nights "),
    ],
)
def test_systemd_finds_fault_with_wrong_units(verify, old, new):
    assert old in "".join(path.read_text() for path in UNITS.iterdir())
    done = verify(old, new)
    assert done.returncode != 0
    assert "rally-magnum-nightly" in done.stderr


def test_systemd_runs_the_command_with_the_settings_of_the_instance():
    service = unit("service")["Service"]
    program, path = service["ExecStart"].split()
    assert pathlib.PurePath(program).name == COMMAND[1]
    assert path == "/etc/rally-magnum-nightly/%i.yaml"
    assert service["Type"] == "oneshot"


def test_systemd_has_the_folder_that_the_sample_writes_to():
    state = unit("service")["Service"]["StateDirectory"]
    folder = sample("cloud.yaml").folder
    assert pathlib.Path("/var/lib") / state == folder


@pytest.mark.parametrize("name", ["sandbox", "cloud"])
def test_a_sample_is_right_where_systemd_reads_it(tmp_path, name):
    text = (ROOT / "docs/howto/nightly.md").read_text()
    (line,) = (one for one in text.splitlines() if one.startswith('sed "'))
    folder = "/etc/rally-magnum-nightly"
    done = subprocess.run(
        [
            *("sh", "-euc"),
            line.replace(folder, str(tmp_path)).replace(
                "cloud.y", f"{name}.y"
            ),
        ],
        cwd=ROOT,
        timeout=TOOL_S,
    )
    assert done.returncode == 0
    assert settings.read(tmp_path / "NAME.yaml") == sample(f"{name}.yaml")


def test_systemd_asks_the_command_alone_to_stop_and_hides_no_failure():
    service = unit("service")["Service"]
    assert service["KillMode"] == "mixed"
    assert service["KillSignal"] == "SIGINT"
    # A leading dash would hide all of them.
    assert service["ExecStart"].startswith("/")
    hidden = set(service.get("SuccessExitStatus", "").split())
    assert not hidden & {str(status) for status in outcome.EXITS.values()}


@pytest.mark.parametrize("name", ["sandbox.yaml", "cloud.yaml"])
def test_systemd_waits_longer_than_a_night_can_take(name):
    service = unit("service")["Service"]
    assert float(service["TimeoutStartSec"]) > at_most_s(name)
    assert float(service["TimeoutStopSec"]) > sample(name).grace_s + LAST_S


def test_systemd_makes_up_for_a_night_that_was_missed():
    timer = unit("timer")
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    # Without a name of its own the timer starts the service of its instance.
    assert "Unit" not in timer["Timer"]


# Rally


def rally_task(path, **arguments):
    """Return a task as ``rally task validate`` reads it."""
    text = api._Task(None).render_template(
        task_template=path.read_text(),
        template_dir=str(path.parent),
        **arguments,
    )
    return task_cfg.TaskConfig(yaml.safe_load(text))


def check_syntax(config):
    plugins.load()
    engine.TaskEngine(config, {"uuid": "x"}, None)._validate_config_syntax(
        config
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {
            "nodes": 2,
            "image": "fedora: 42",
            "flavor": "c1",
            "keypair": "ops",
            "image_prefix": "registry.example.org/mirror",
            "labels": {"kube_tag": "v1.33.0"},
        },
    ],
    ids=["no arguments", "arguments"],
)
def test_the_job_of_rally_renders_and_its_plugins_accept_it(arguments):
    config = rally_task(RALLY_JOB, **arguments)
    check_syntax(config)
    (workload,) = config.subtasks[0]["workloads"]
    assert workload["args"]["nodes"] == arguments.get("nodes", 1)
    (template,) = workload["contexts"]["bay_templates@openstack"]["templates"]
    assert template["name"] == workload["args"]["bay_template"]
    if arguments:
        assert template["image"] == arguments["image"]
        assert template["labels"] == arguments["labels"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("e.throughput", "e.thruput", "no Scenario plugin `MagnumScale.thr"),
        ("rate_rps: 50", "rate: 50", "'rate'"),
        ("min_rps", "min_rsp", "'min_rsp' was unexpected"),
        (" flavor:", " flavour:", "'flavour' was unexpected"),
        ("concurrency: 1", "concurrency: 0", "0 is less than the minimum"),
        ("tenants: 1", "tennants: 1", "'users@openstack' doesn't pass"),
    ],
)
def test_a_job_of_rally_that_is_wrong_is_refused(tmp_path, old, new, why):
    config = rally_task(replaced(RALLY_JOB, tmp_path, old, new))
    with pytest.raises(exceptions.InvalidTaskConfig, match=why):
        check_syntax(config)


def test_the_job_of_rally_asks_for_99_percent_of_its_offer():
    (workload,) = rally_task(RALLY_JOB).subtasks[0]["workloads"]
    offered = workload["args"]["steps"][-1]["rate_rps"]
    assert workload["sla"]["request_rate"] == {"min_rps": 0.99 * offered}


def test_the_readme_names_every_argument_of_the_job_of_rally():
    arguments = set(re.findall(r"{{ (\w+)\|default", RALLY_JOB.read_text()))
    text = (RALLY_JOB.parent / "README.md").read_text()
    named = set(re.findall(r"`(\w+)`", text))
    assert "max_create_s" in arguments
    assert arguments <= named
