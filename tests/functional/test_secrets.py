"""No secret is in what a run writes, prints or starts processes with.

Two places hold secrets on purpose: Rally's own database, in which `rally env
create` stores the administrator's password, and files that only their owner
can read.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import re
import secrets
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox.bay import cgroups
from tests.functional import conftest
from tests.functional import test_tasks

EXPORTS = (
    *("magnum-scale-html", "magnum-scale-table", "magnum-scale-history"),
    *("magnum-scale-openmetrics", "magnum-scale-junit"),
    *("json", "old-json-results", "html-static", "junit-xml"),
)
PATTERNS = {
    "token": rb"gAAAA[\w-]{60,}",
    "private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY",
    # Base64 of the same.
    "encoded private key": rb"LS0tLS1CRUdJTi"
    rb"(BQUklWQVRFIEtFW|BSU0EgUFJJVkFURSBLRV|BFQyBQUklWQVRFIEtFW)",
    # Such as one that Rally made for a user.
    "a password": rb"""(?i)password\\?["']?[:=] ?\\?["'](?!\*\*\*)[\w-]""",
}
SAMPLE_EVERY_S = 0.1


class Finder:
    """Finds the secrets of a sandbox, and what looks like a secret.

    :param sandbox: its passwords are searched for
    :param more: other secrets by their names
    """

    def __init__(self, sandbox: conftest.Sandbox, **more: str) -> None:
        own = secrets_file.ensure(sandbox.settings.state_dir)
        known = dataclasses.asdict(own) | more
        self._patterns = {
            name: re.compile(pattern)
            for name, pattern in PATTERNS.items()
            | {
                name: _written(secret) for name, secret in known.items()
            }.items()
        }

    def find(self, content: bytes) -> set[str]:
        """Return the names of the secrets in a content."""
        return {
            name
            for name, pattern in self._patterns.items()
            if pattern.search(content)
        }


def _written(secret: str) -> bytes:
    """Return a pattern of a secret as it is, and as part of Base64."""
    content = secret.encode()
    forms = [content]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content)
        # The first and the last characters depend on what is beside it.
        forms.append(encoded[4:-4])
    return b"|".join(map(re.escape, forms))


@dataclasses.dataclass(frozen=True)
class File:
    """A file as it was once.

    :param mode: its permissions
    """

    mode: int
    content: bytes


class Sampler(threading.Thread):
    """Looks at processes and files again and again.

    :param sandbox: all its processes, and all those below this one, count
    :param folder: all files in it count
    """

    def __init__(self, sandbox: conftest.Sandbox, folder: Path) -> None:
        super().__init__()
        self._group = sandbox.settings.cgroup
        self._folder = folder
        self._end = threading.Event()
        self.arguments: set[bytes] = set()
        self.files: dict[Path, set[File]] = {}

    def run(self) -> None:
        while not self._end.wait(SAMPLE_EVERY_S):
            self._take_arguments()
            self._take_files()

    def end(self) -> None:
        self._end.set()
        self.join()

    def _take_arguments(self) -> None:
        below = psutil.Process().children(recursive=True)
        pids = {each.pid for each in below}
        for pid in pids | set(cgroups.processes(self._group)):
            with contextlib.suppress(OSError):
                self.arguments.add(Path(f"/proc/{pid}/cmdline").read_bytes())

    def _take_files(self) -> None:
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                mode = path.stat().st_mode
                if stat.S_ISREG(mode):
                    found = File(stat.S_IMODE(mode), path.read_bytes())
                    self.files.setdefault(path, set()).add(found)


@dataclasses.dataclass(frozen=True)
class Traces:
    """What a run leaves, and what was there while it ran.

    :param outputs: by name, what was printed, logged and exported
    :param scratch: folder of its temporary files and run markers
    """

    finder: Finder
    outputs: dict[str, bytes]
    scratch: Path
    sampler: Sampler


@pytest.fixture(scope="module")
def traces(
    sandbox: conftest.Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Traces:
    """A load with a TLS key and a pull secret, logged as much as possible."""
    folder, scratch = map(tmp_path_factory.mktemp, ("secrets", "scratch"))
    password = secrets.token_hex(16)
    pull_secret = folder / "config.json"
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    pull_secret.write_text(
        json.dumps({"auths": {"registry.example.org": {"auth": auth}}})
    )
    arguments = {
        **test_tasks.SMALL,
        "nodes": 2,
        "steps": [{"rate_rps": 200, "duration_s": 3, "ramp_s": 1}],
        "min_rps": 1,
        "image_pull_secret_file": str(pull_secret),
        "extra_args": {"tls": "bay_ca"},
    }
    sampler = Sampler(sandbox, scratch)
    sampler.start()
    try:
        done = sandbox.rally(
            "--debug",
            *test_tasks.command("2m-rps.json", arguments),
            TMPDIR=str(scratch),
            XDG_STATE_HOME=str(scratch),
            # By default it logs only warnings, also with --debug.
            OS_DEFAULT__DEFAULT_LOG_LEVELS="keystoneauth=DEBUG",
        )
    finally:
        sampler.end()
    said = done.stdout + done.stderr
    assert "bay gone after" in said, said[-5000:]
    task = test_tasks.task_of(said)
    outputs = {"output": said.encode()}
    for kind in EXPORTS:
        path = folder / kind
        export = ("task", "export", "--uuid", task, "--type", kind)
        exported = sandbox.rally("--debug", *export, "--to", str(path))
        assert exported.returncode == 0, exported.stdout + exported.stderr
        outputs[kind] = path.read_bytes()
        outputs[f"output of {kind}"] = (
            exported.stdout + exported.stderr
        ).encode()
    finder = Finder(sandbox, registry=password)
    return Traces(finder, outputs, scratch, sampler)


def test_the_finder_finds_each_kind_of_secret(
    sandbox: conftest.Sandbox, traces: Traces
) -> None:
    own = secrets_file.ensure(sandbox.settings.state_dir)
    token = openstack.admin_session(sandbox.settings, own).get_token()
    find = traces.finder.find
    assert find(token.encode()) == {"token"}
    for name, secret in dataclasses.asdict(own).items():
        assert find(secret.encode()) == {name}
        assert find(base64.b64encode(f"{name}:{secret}".encode())) == {name}
    for kind in ("", "RSA ", "EC "):
        key = f"-----BEGIN {kind}PRIVATE KEY-----\n".encode()
        assert find(key) == {"private key"}
        assert find(base64.b64encode(key)) == {"encoded private key"}
    assert find(b'"password": "a') == {"a password"}
    assert find(b'"password": "***"') == set()


def test_a_run_prints_logs_and_exports_no_secret(traces: Traces) -> None:
    # Rally logged its requests, with a digest of each token.
    assert b"{SHA256}" in traces.outputs["output"]
    found = {
        name: traces.finder.find(content)
        for name, content in traces.outputs.items()
    }
    assert {name: some for name, some in found.items() if some} == {}


def test_no_process_has_a_secret_among_its_arguments(traces: Traces) -> None:
    seen = traces.sampler.arguments
    assert any(b"kube-apiserver" in each for each in seen)
    assert any(b"--worker" in each for each in seen)
    assert [each for each in seen if traces.finder.find(each)] == []


def test_a_temporary_file_with_a_secret_is_its_owners_alone(
    traces: Traces,
) -> None:
    secret = {
        path: {each.mode for each in files}
        for path, files in traces.sampler.files.items()
        if any(traces.finder.find(each.content) for each in files)
    }
    # The client's key, which the TLS library reads.
    assert {path.name for path in secret} == {"key.pem"}
    assert set().union(*secret.values()) == {0o600}
    markers = [path for path in traces.sampler.files if "runs" in path.parts]
    assert markers
    # Nothing is left at the end.
    assert [path for path in traces.scratch.rglob("*") if path.is_file()] == []


def test_rallys_database_has_no_other_secret_than_the_administrators(
    sandbox: conftest.Sandbox, traces: Traces
) -> None:
    (database,) = sandbox.settings.state_dir.glob("rally/rally.db")
    # `rally env create` stores it there, in a folder of mode 0700.
    found = traces.finder.find(database.read_bytes())
    assert found == {"admin", "a password"}


def test_what_others_can_read_of_the_sandbox_has_no_secret(
    sandbox: conftest.Sandbox, traces: Traces
) -> None:
    files = list(_readable(sandbox.settings.state_dir))
    assert files
    assert [
        path for path in files if traces.finder.find(path.read_bytes())
    ] == []


def _readable(folder: Path) -> Iterator[Path]:
    """Return the files that other users can read."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) and mode & 0o001:
            yield from _readable(path)
        elif stat.S_ISREG(mode) and mode & 0o044:
            yield path
