"""Start a bay's processes so that they outlive whoever made the bay."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import subprocess
from pathlib import Path

import psutil

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting

# Enters the bay's group, and leaves the caller's session; the shell ends at
# once, so that init and not the caller collects the process.
SCRIPT = (
    'echo $$ > "$0" || exit 1; ulimit -S -n "$1"; log="$2"; shift 2; '
    'setsid "$@" < /dev/null > "$log" 2>&1 & echo $!'
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOST_FILES = 1048576
ANCHOR_DEADLINE_S = 10.0
RUN_DEADLINE_S = 300.0


@dataclasses.dataclass(frozen=True)
class Component:
    """A process of a bay that was started.

    :param name: in messages
    :param pid: of the process
    :param log: its output
    """

    name: str
    pid: int
    log: Path

    def alive(self) -> bool:
        """Tell whether it runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            status = psutil.Process(self.pid).status()
            return bool(status != psutil.STATUS_ZOMBIE)
        return False

    def check(self) -> None:
        """Raise if it has ended.

        :raises SandboxError: with the last line of its log
        """
        if not self.alive():
            raise exceptions.SandboxError(
                f"{self.name} of the bay ended; its last line was: "
                f"{last_line(self.log) or '(nothing)'} (see {self.log})."
            )


@dataclasses.dataclass(frozen=True)
class Namespace:
    """Namespaces, held by a process that only sleeps.

    :param pid: of that process
    :param mounts: it has a mount namespace of its own too
    """

    pid: int
    mounts: bool

    def entering(self, *command: str) -> tuple[str, ...]:
        """Make a command run inside.

        ``ip netns exec`` would mount /sys anew and hide the control
        groups, so nsenter is used.
        """
        mounts = ("--mount",) if self.mounts else ()
        enter = ("nsenter", "--target", str(self.pid), "--net", *mounts)
        return (*enter, "--", *command)


class Launcher:
    """Starts processes in a bay's control group.

    :param folder: of the bay; home and log folder of the processes
    :param procs: the group's ``cgroup.procs``
    """

    def __init__(self, folder: Path, procs: Path) -> None:
        self.folder = folder
        self._procs = procs

    def start(
        self, name: str, *command: str, log_folder: Path | None = None
    ) -> Component:
        """Start a process.

        :param name: of the component and of its log
        :param command: the program and its arguments
        :param log_folder: where the log goes, if not to the bay's folder
        :raises SandboxError: when it can't be started
        """
        log = (log_folder or self.folder) / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = MOST_FILES if hard == resource.RLIM_INFINITY else hard
        limit = str(min(files, MOST_FILES))
        done = subprocess.run(
            ["/bin/sh", "-c", SCRIPT, self._procs, limit, log, *command],
            env={"PATH": PATH, "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not done.stdout.strip():
            raise exceptions.SandboxError(
                f"{name} of the bay could not be started: "
                f"{done.stderr.strip()!r}; see {self._procs}."
            )
        return Component(name, int(done.stdout), log)

    def namespace(
        self, name: str, setup: str = "", *arguments: str
    ) -> Namespace:
        """Make a network namespace, and one of mounts if it needs setup.

        :param name: of the process that holds them, for its log
        :param setup: a shell script that is run inside, as root, with
            ``set -e``
        :param arguments: the script's ``$1`` and so on
        :raises SandboxError: when the script fails
        """
        ready = self.folder / f"{name}.ready"
        mounts = ("--mount", "--propagation", "private") if setup else ()
        script = f'set -eu\n{setup}\necho > "$0"\nexec sleep infinity'
        component = self.start(
            name,
            *("unshare", "--net", *mounts, "--"),
            *("/bin/sh", "-c", script, str(ready), *arguments),
        )

        def made() -> bool | None:
            if ready.exists():
                return True
            component.check()
            return None

        waiting.wait_for(
            made,
            what=f"the namespaces of {name}",
            deadline_s=ANCHOR_DEADLINE_S,
            interval_s=0.01,
        )
        return Namespace(component.pid, bool(setup))


def run(*command: str, what: str, given: str = "") -> str:
    """Run a program of the host that ends soon.

    :param command: the program and its arguments
    :param what: what it does, in words, for the error
    :param given: its standard input
    :returns: its output
    :raises SandboxError: when it fails, with what it said
    """
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_DEADLINE_S,
            env={**os.environ, "PATH": PATH},
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise exceptions.SandboxError(
            f"To {what}, {command[0]} was run, but: {error}."
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().split("\n")[-2:]
        raise exceptions.SandboxError(
            f"To {what}, {command[0]} was run and exited with "
            f"{done.returncode}: {'; '.join(said) or '(nothing)'}."
        )
    return done.stdout


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty, 300 long at most."""
    if not log.exists():
        return ""
    lines = log.read_bytes()[-8192:].decode(errors="replace").split("\n")
    return next((x.strip()[:300] for x in reversed(lines) if x.strip()), "")
