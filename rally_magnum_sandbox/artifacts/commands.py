"""Run the programs that build artifacts, with locks and temporary folders."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

from rally_magnum_sandbox import exceptions

REPORT_EVERY_S = 15.0

Log = Callable[[str], None]


def content_key(parts: Iterable[bytes]) -> str:
    """Return a key for the inputs of a build.

    :param parts: the inputs in a fixed order
    :returns: 16 hexadecimal digits
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(path: Path, log: Log) -> Iterator[None]:
    """Lock a file, so that two builds of the same artifact don't collide.

    :param path: the lock file, which is created if it is missing
    :param log: gets a line if another process holds the lock
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"waiting for {path}: another process runs this build")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(
    *command: str,
    what: str,
    log_file: Path,
    log: Log | None = None,
    progress: Callable[[], str] = lambda: "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program and wait for it, with progress lines.

    :param command: the program and its arguments
    :param what: what it does, as a verb phrase for progress and errors
    :param log_file: the file that gets its output
    :param log: gets a line every 15 seconds
    :param progress: returns the progress in words
    :param cwd: the working folder
    :param env: variables to add to the environment
    :raises MissingRequirement: if the program is not installed
    :raises SandboxError: if it fails, with its last line
    """
    start = reported = time.monotonic()
    with log_file.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        except FileNotFoundError as error:
            raise exceptions.MissingRequirement(
                f"Can't {what}: the program {command[0]!r} is missing. "
                "Install it."
            ) from error
        with _ended(process):
            while not _exited(process):
                now = time.monotonic()
                if log and now - reported >= REPORT_EVERY_S:
                    reported = now
                    done = progress()
                    done = f", {done}" if done else ""
                    log(f"{what}: {now - start:.0f} s{done}")
    if process.returncode:
        raise exceptions.SandboxError(
            f"To {what}, {command[0]} was run and exited with "
            f"{process.returncode}: {last_line(log_file)!r}; see {log_file}."
        )


def last_line(log_file: Path) -> str:
    """Return the last non-empty line of a log, at most 300 characters."""
    if not log_file.exists():
        return ""
    with log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - 8192))
        lines = file.read().decode(errors="replace").split("\n")
    return next((x.strip()[:300] for x in reversed(lines) if x.strip()), "")


@contextlib.contextmanager
def working_folder(parent: Path, name: str) -> Iterator[Path]:
    """Create a temporary build folder next to the result.

    This first removes what killed builds have left, so hold the lock of this
    kind of build.

    :param parent: the folder of the result
    :param name: of this kind of build
    """
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f"tmp-{name}-"
    for left in parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        yield Path(folder)


def _exited(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.terminate()
        process.wait()
        raise
