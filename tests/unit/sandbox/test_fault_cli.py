"""The command `fault`."""

import json
import time

import pytest

from rally_magnum_sandbox import cli
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import up
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import faults as sandbox_faults


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    state, cache = tmp_path / "state", tmp_path / "cache"
    monkeypatch.setenv(sandbox_settings.STATE_VARIABLE, str(state))
    monkeypatch.setenv(sandbox_settings.CACHE_VARIABLE, str(cache))
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "example.org")
    found = sandbox_settings.from_environment()
    found.bays_dir.mkdir(parents=True)
    (state / "run").mkdir()
    found.ready_file.write_text("{}")
    return found


@pytest.fixture
def fault(sandbox, capsys):
    def run(*arguments):
        code = cli.main(["fault", *arguments])
        printed = capsys.readouterr()
        return code, (printed.err if code else printed.out).strip()

    return run


def added(sandbox):
    (found,) = sandbox_faults.Faults(sandbox.faults_file).all()
    return found


def test_without_a_sandbox_there_are_no_faults(fault, sandbox):
    sandbox.ready_file.unlink()
    code, text = fault("magnum", "503")
    assert code == 1
    assert "rally-magnum-sandbox up" in text
    assert not sandbox.faults_file.exists()


def test_a_service_fault_with_all_options(fault, sandbox):
    before_s = time.time()
    code, text = fault(
        *("magnum", "503", "--every", "5", "--times", "3", "--for", "10"),
        *("--methods", "post,Patch", "--path", "^/v1", "--applied", "--html"),
        *("--retry-after", "2"),
    )
    assert code == 0
    assert text.startswith("added: magnum 503 --every=5 --times=3")
    found = added(sandbox)
    assert before_s + 10 <= found.until_s <= time.time() + 10
    assert found == sandbox_faults.Fault(
        target="magnum",
        kind="503",
        every=5,
        times=3,
        until_s=found.until_s,
        methods=("POST", "PATCH"),
        path="^/v1",
        applied=True,
        html=True,
        retry_after_s=2,
    )


def test_a_late_response_has_its_delay(fault, sandbox):
    assert fault("stub", "late", "--seconds", "30")[0] == 0
    assert added(sandbox).delay_s == 30.0


@pytest.mark.parametrize(
    ("option", "method"),
    [("--create-failed", "CREATE"), ("--delete-failed", "DELETE")],
)
def test_a_fault_of_bays_is_for_one_bay_by_default(
    fault, sandbox, option, method
):
    assert fault("bay", option, "no quota")[0] == 0
    assert added(sandbox) == sandbox_faults.Fault(
        target="bay",
        kind=option.removeprefix("--"),
        times=1,
        methods=(method,),
        reason="no quota",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("magnum", "200"), "'200'; it must be an HTTP status from 400"),
        (("magnum", "slow"), "'slow'"),
        (("magnum", "503", "--every", "0"), "--every is 0"),
        (("magnum", "503", "--times", "0"), "--times is 0"),
        (("magnum", "503", "--for", "0"), "--for is 0"),
        (("magnum", "503", "--methods", "FETCH"), "'FETCH'"),
        (("magnum", "503", "--path", "("), "not a regular expression"),
        (("magnum", "503", "--seconds", "3"), "needs --seconds"),
        (("magnum", "503", "--retry-after", "-1"), "--retry-after is -1"),
        (("magnum", "late"), "needs --seconds"),
        (("magnum", "late", "--seconds", "0"), "needs --seconds"),
        (("magnum", "reset", "--html"), "not for reset"),
        (("magnum", "reset", "--retry-after", "0"), "not for reset"),
        (("bay", "--create-failed", " "), "--create-failed is empty"),
        (("bay", "--delete-failed", "x", "--times", "0"), "--times is 0"),
        (("restart", "apiserver", "night"), "0 bays"),
        (("stop", "kubelet", "night"), "0 bays"),
    ],
)
def test_bad_input_gets_one_sentence(fault, sandbox, arguments, words):
    code, text = fault(*arguments)
    assert code == 1
    assert words in text
    assert "\n" not in text
    assert not sandbox.faults_file.exists()


def test_an_unknown_target_is_refused(fault):
    with pytest.raises(SystemExit):
        fault("swift", "503")


def test_the_list_shows_the_counts(fault, sandbox):
    assert fault("list") == (0, "there are no faults")
    fault("magnum", "503", "--every", "2")
    faults = sandbox_faults.Faults(sandbox.faults_file)
    for _ in range(3):
        faults.hit("magnum", "GET", "/")
    assert fault("list") == (
        0,
        "magnum 503 --every=2 (hit 1 of 3 requests)",
    )
    (found,) = json.loads(fault("list", "--json")[1])
    assert (found["target"], found["hits"], found["requests"]) == (
        "magnum",
        1,
        3,
    )


def test_clear_removes_all_faults(fault, sandbox):
    fault("magnum", "503")
    fault("keystone", "429")
    assert fault("clear") == (0, "2 fault(s) removed")
    assert not sandbox.faults_file.exists()


def test_status_names_the_active_faults(fault, sandbox, capsys):
    fault("magnum", "503", "--times", "1")
    fault("keystone", "429")
    sandbox_faults.Faults(sandbox.faults_file).hit("magnum", "GET", "/")
    assert cli.main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("fault: ")] == [
        "fault: keystone 429 (hit 0 of 0 requests)"
    ]
    cli.main(["status", "--json"])
    (found,) = json.loads(capsys.readouterr().out)["faults"]
    assert found["kind"] == "429"


def test_up_clears_the_faults_before_it_checks_the_servers(
    fault, sandbox, monkeypatch
):
    bay_folder.write_json(
        sandbox.state_dir / folders.MARK, {"layout": folders.LAYOUT}
    )
    fault("magnum", "503")
    seen = []

    def is_healthy(settings):
        seen.append(settings.faults_file.exists())
        return True

    monkeypatch.setattr(up.cloud, "healthy", is_healthy)
    monkeypatch.setattr(inotify, "raise_limit", lambda *_: None)
    up.up(sandbox, print)
    assert seen == [False]
