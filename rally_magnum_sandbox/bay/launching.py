"""Start processes of a bay that outlive the command that starts them."""

from __future__ import annotations

import dataclasses
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay.process import Process
from rally_magnum_scale import waiting

# Enters the bay's control group and a new session. The shell exits at once,
# so that init reaps the process, not the caller.
SCRIPT = (
    'echo $$ > "$0" || exit 1; ulimit -S -n "$1"; log="$2"; shift 2; '
    'setsid "$@" < /dev/null >> "$log" 2>&1 & echo $!'
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The subfolder of a bay's folder with a file for each started process.
RECORDS = "processes"
CONTROL = "control"
SEPARATE = ("net", "mnt")
MOST_FILES = 1048576
ANCHOR_DEADLINE_S = 60.0
RUN_DEADLINE_S = 300.0


@dataclasses.dataclass(frozen=True)
class Namespace:
    """Namespaces, kept alive by a sleeping process.

    :param name: ``control``, or the name of the node's folder
    :param process: a process in the namespaces, usually the sleeping one
    :param net: the kernel's name of the network namespace
    :param mount: the kernel's name of the mount namespace; empty if it is
        the host's
    """

    name: str
    process: Process
    net: str
    mount: str

    @classmethod
    def of(cls, name: str, pid: int, *, mounts: bool) -> Namespace:
        """Read the namespaces of a process."""
        net, mount = namespaces(pid)
        process = Process.running(pid)
        return cls(name, process, net, mount if mounts else "")

    @property
    def pid(self) -> int:
        return self.process.pid

    def entering(self, *command: str) -> tuple[str, ...]:
        """Wrap a command so that it runs in the namespaces.

        This uses nsenter: ``ip netns exec`` would mount a new /sys and hide
        the control groups.
        """
        mounts = ("--mount",) if self.mount else ()
        enter = ("nsenter", "--target", str(self.pid), "--net", *mounts)
        return (*enter, "--", *command)

    def holds(self, pid: int) -> bool:
        """Tell whether a process is in the namespaces."""
        net, mount = namespaces(pid)
        return mount == self.mount if self.mount else net == self.net


@dataclasses.dataclass(frozen=True)
class Component:
    """A started process of a bay.

    :param name: the name in messages
    :param namespace: the name of its namespaces; empty for the host's
    :param command: the command that started it in its namespaces
    :param process: the process
    :param log: the file with its output
    """

    name: str
    namespace: str
    command: tuple[str, ...]
    process: Process
    log: Path

    @property
    def title(self) -> str:
        """The name with the node, unique within the bay."""
        if self.namespace in ("", CONTROL):
            return self.name
        return f"{self.name} of {self.namespace}"

    def check(self) -> None:
        """Raise an error if the process is dead.

        :raises SandboxError: with the last line of its log
        """
        if not self.process.alive():
            raise exceptions.SandboxError(
                f"{self.name} of the bay ended; its last line was: "
                f"{last_line(self.log) or '(nothing)'} (see {self.log})."
            )


class Launcher:
    """Starts processes in a bay's control group and records them.

    :param folder: of the bay; home and log folder of the processes
    :param procs: the group's ``cgroup.procs``
    """

    def __init__(self, folder: Path, procs: Path) -> None:
        self.folder = folder
        self._procs = procs
        self._records = folder / RECORDS

    def start(
        self,
        name: str,
        *command: str,
        inside: Namespace | None = None,
        log_folder: Path | None = None,
    ) -> Component:
        """Start a process.

        :param name: of the component and its log
        :param command: the program and its arguments
        :param inside: the namespaces to start it in; default the host's
        :param log_folder: the folder of its log; default the bay's folder
        :raises SandboxError: if it can't be started
        """
        log = (log_folder or self.folder) / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        whole = inside.entering(*command) if inside else command
        process = Process.running(self._spawn(name, log, whole))
        namespace = inside.name if inside else ""
        component = Component(name, namespace, command, process, log)
        self._record(component)
        return component

    def restart(self, dead: Component, inside: Namespace) -> Component:
        """Start a component again with the same command."""
        return self.start(
            dead.name,
            *dead.command,
            inside=inside,
            log_folder=dead.log.parent,
        )

    def namespace(
        self, name: str, setup: str = "", *arguments: str
    ) -> Namespace:
        """Create a network namespace, and with a setup a mount namespace.

        :param name: of the namespaces
        :param setup: a shell script that runs in the namespaces as root,
            with ``set -e``
        :param arguments: the script's ``$1`` and so on
        :raises SandboxError: if the script fails
        """
        ready = self.folder / f"{name}-namespace.ready"
        mounts = ("--mount", "--propagation", "private") if setup else ()
        script = f'set -eu\n{setup}\necho > "$0"\nexec sleep infinity'
        log = self.folder / f"{name}-namespace.log"
        command = ("unshare", "--net", *mounts, "--", "/bin/sh", "-c", script)
        pid = self._spawn(name, log, (*command, str(ready), *arguments))
        sleeper = Component(name, "", command, Process.running(pid), log)

        def made() -> bool | None:
            if ready.exists():
                return True
            sleeper.check()
            return None

        waiting.wait_for(
            made,
            what=f"the namespaces of {name} to be set up",
            deadline_s=ANCHOR_DEADLINE_S,
            interval_s=0.01,
        )
        found = Namespace.of(name, pid, mounts=bool(setup))
        self._record_namespace(found)
        return found

    def hold(self, lost: Namespace, pid: int) -> Namespace:
        """Start a new sleeping process for namespaces that lost theirs.

        :param lost: the namespaces
        :param pid: of any process that is still in them
        """
        through = Namespace(lost.name, Process.running(pid), "", lost.mount)
        log = self.folder / f"{lost.name}-namespace.log"
        sleep = through.entering("sleep", "infinity")
        process = Process.running(self._spawn(lost.name, log, sleep))
        held = dataclasses.replace(lost, process=process)
        self._record_namespace(held)
        return held

    def forget(self, namespace: str) -> None:
        """Remove the records of a node's processes and namespaces."""
        for path in self._records.glob(f"{namespace}.*"):
            path.unlink(missing_ok=True)

    def components(self) -> list[Component]:
        """List the started components of the bay, dead or alive."""
        records = map(files.read_json, self._records.glob("*.process.json"))
        return [
            Component(
                name=record["name"],
                namespace=record["namespace"],
                command=tuple(record["command"]),
                process=Process(record["pid"], record["start_ticks"]),
                log=Path(record["log"]),
            )
            for record in records
            if record
        ]

    def namespaces(self) -> dict[str, Namespace]:
        """Return the bay's recorded namespaces by name."""
        records = map(files.read_json, self._records.glob("*.namespace.json"))
        return {
            record["name"]: Namespace(
                record["name"],
                Process(record["pid"], record["start_ticks"]),
                record["net"],
                record["mount"],
            )
            for record in records
            if record
        }

    def _spawn(self, name: str, log: Path, command: tuple[str, ...]) -> int:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
        limit = str(min(most, MOST_FILES))
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
                f"Could not start {name} of the bay: "
                f"{done.stderr.strip()!r}; see {self._procs}."
            )
        return int(done.stdout)

    def _record(self, component: Component) -> None:
        key = f"{component.namespace or 'host'}.{component.name}.process"
        self._write(
            key,
            {
                "name": component.name,
                "namespace": component.namespace,
                "command": component.command,
                "log": str(component.log),
                **component.process.record(),
            },
        )

    def _record_namespace(self, made: Namespace) -> None:
        self._write(
            f"{made.name}.namespace",
            {
                "name": made.name,
                "net": made.net,
                "mount": made.mount,
                **made.process.record(),
            },
        )

    def _write(self, key: str, record: dict[str, Any]) -> None:
        self._records.mkdir(exist_ok=True)
        files.write_json(self._records / f"{key}.json", record)


def namespaces(pid: int) -> tuple[str, str]:
    """Read the kernel's names of a process's namespaces.

    :returns: the network and the mount namespace; empty if the process does
        not exist
    """
    try:
        folder = Path(f"/proc/{pid}/ns")
        net, mount = (str((folder / x).readlink()) for x in SEPARATE)
    except OSError:
        return "", ""
    return net, mount


def run(*command: str, what: str, given: str = "") -> str:
    """Run a short program on the host.

    :param command: the program and its arguments
    :param what: what it does, as a verb phrase for the error
    :param given: its standard input
    :returns: its output
    :raises SandboxError: if it fails, with the end of its output
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
        lines = (done.stderr or done.stdout).strip().split("\n")[-2:]
        raise exceptions.SandboxError(
            f"To {what}, {command[0]} was run and exited with "
            f"{done.returncode}: {'; '.join(lines) or '(nothing)'}."
        )
    return done.stdout


def last_line(log: Path) -> str:
    """Return the last non-empty line of a log, at most 300 characters."""
    if not log.exists():
        return ""
    lines = log.read_bytes()[-8192:].decode(errors="replace").split("\n")
    return next((x.strip()[:300] for x in reversed(lines) if x.strip()), "")
