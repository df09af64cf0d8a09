"""Bring the sandbox up for a night, and down after it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import cloud_descriptions
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes

_ENV_DEADLINE_S = 30.0
_UP_DEADLINE_S = 3600.0
# The sandbox may go down after the night's deadline.
DOWN_DEADLINE_S = 600.0


@contextlib.contextmanager
def running(
    folder: pathlib.Path,
    home: pathlib.Path,
    log: commands.Log,
    until: deadline.Deadline,
) -> Iterator[dict[str, str]]:
    """Yield the environment variables of a client of the sandbox.

    If the sandbox is down, it is brought up first and taken down at the
    end.

    :param home: folder of the sandbox's log, and of the marker of our sandbox
    :raises CommandFailed: when the sandbox does not come up or go down
    :raises DeadlineExceeded: when the deadline passes before it is up
    """
    # This file remains if the night is killed, so that the next night takes
    # the sandbox down.
    ours = home / "sandbox-is-ours"
    try:
        # After a killed night, parts of our sandbox may be down; `up` starts
        # the missing parts.
        done = None if ours.exists() else _env()
        if done is None or done.returncode:
            with until.step("the sandbox to come up", _UP_DEADLINE_S) as up_s:
                ours.touch()
                _take("up", folder, home, up_s, log)
            done = _env()
        yield _variables(done)
    finally:
        if ours.exists():
            with interruption.deferred():
                _take("down", folder, home, DOWN_DEADLINE_S, log)
            ours.unlink()


def _env() -> subprocess.CompletedProcess[bytes]:
    """Run ``env -0`` as a client of the sandbox; it fails if that is down.

    :raises CommandFailed: when it does not end in time
    """
    command = [str(_program()), "run", "--", "env", "-0"]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_ENV_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise exceptions.CommandFailed(
            f"`{' '.join(command)}` did not end within {_ENV_DEADLINE_S:.0f} "
            "s. Check the sandbox with `rally-magnum-sandbox status`."
        ) from error


def _variables(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    """Return the environment variables of a client of the sandbox.

    :raises CommandFailed: when the sandbox is not up
    """
    if done.returncode:
        raise exceptions.CommandFailed(
            f"`{' '.join(done.args)}` exited with code {done.returncode}: "
            f"{os.fsdecode(done.stderr).strip()}"
        )
    return {
        os.fsdecode(name): os.fsdecode(value)
        for name, value in cloud_descriptions.parse_env(done.stdout).items()
    }


def _program() -> pathlib.Path:
    return commands.PROGRAMS / "rally-magnum-sandbox"


def _take(
    where: str,
    folder: pathlib.Path,
    home: pathlib.Path,
    limit_s: float,
    log: commands.Log,
) -> None:
    commands.run(
        [str(_program()), where],
        what=f"take the sandbox {where}",
        log_file=home / "sandbox.log",
        deadline_s=limit_s,
        # The sandbox's servers don't get the variable, because they outlive
        # the night.
        env={**os.environ, processes.NIGHT_VARIABLE: str(folder)},
        log=log,
    )
