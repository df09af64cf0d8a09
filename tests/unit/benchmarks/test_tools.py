import json
import stat
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import peers
from benchmarks import tools
from benchmarks.result import LeftOut
from rally_magnum_sandbox import exceptions

GO = """#!/bin/sh
if [ "$1" = env ]; then echo go9.9.9; exit 0; fi
echo "$@" >> "$0.calls"
%s
"""
BUILDS = 'mkdir -p "$GOBIN" && echo "$4" > "$GOBIN/hey"'
REFUSES = 'echo "no such host" >&2; exit 1'


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Be a machine that has only a Go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "mkdir", "echo"):
        (folder / name).symlink_to(f"/bin/{name}")

    def be(script):
        file = folder / "go"
        file.write_text(GO % script)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder))
        return folder / "go.calls"

    return be


def test_a_program_is_built_once_at_its_version(go, tmp_path):
    calls = go(BUILDS)
    path = tools.program("hey", tmp_path / "cache")
    assert tools.program("hey", tmp_path / "cache") == path
    version = tools.GO["hey"].version
    assert path == str(tmp_path / f"cache/peers/hey-{version}")
    (call,) = calls.read_text().splitlines()
    assert call == f"install -trimpath github.com/rakyll/hey@{version}"
    left = {one.name for one in (tmp_path / "cache/peers").iterdir()}
    assert left == {f"hey-{version}", f"hey-{version}.log", "hey.lock"}


def test_a_build_that_fails_leaves_nothing_and_says_why(go, tmp_path):
    go(REFUSES)
    with pytest.raises(exceptions.CommandFailed, match="no such host"):
        tools.program("hey", tmp_path / "cache")
    assert not list((tmp_path / "cache/peers").glob("tmp-*"))
    go(BUILDS)
    assert Path(tools.program("hey", tmp_path / "cache")).exists()


def test_what_cannot_be_had_is_left_out_with_its_reason(
    go, tmp_path, monkeypatch
):
    go(BUILDS)
    monkeypatch.setenv("RALLY_MAGNUM_SANDBOX_CACHE", str(tmp_path / "cache"))
    wanted = {**peers.CLOSED_LOOP, "wrk2": peers.wrk2}
    for name in ("vegeta", "k6"):
        del wanted[name]
    there, left_out = peers.available(wanted)
    assert list(there) == ["hey", "FastHttpUser", "HttpUser"]
    assert [name for name, _ in left_out] == ["wrk", "oha", "wrk2"]
    for (name, reason), word in zip(
        left_out, ("apt-get", "cargo", "source code only"), strict=True
    ):
        assert word in reason
        data = json.loads(LeftOut("engine", name, reason).line())
        assert data == {"bench": "engine", "peer": name, "left_out": reason}


def test_a_program_on_the_path_is_used(go, tmp_path):
    folder = go(BUILDS).parent
    file = folder / "wrk2"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    assert tools.program("wrk2", tmp_path) == str(file)


def test_an_unknown_benchmark_is_named(capsys):
    assert command.main(["engin"]) == 2
    assert "There is no benchmark engin;" in capsys.readouterr().err
