"""Run markers: files that remain when a run is killed.

Each run of a workload writes a marker, and deletes it after its cleanup.
The file is locked as long as any process of the run lives.  A worker that
outlives its parent still holds the lock; the parent's process number alone
would not show that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import hashlib
import json
import os
import pathlib
import socket
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally.common import cfg

from rally_magnum_scale import exceptions
from rally_magnum_scale import file_locks

FOLDER_VARIABLE = "RALLY_MAGNUM_SCALE_STATE"
VERSION = 1

_PROC = pathlib.Path("/proc")
_MACHINE_ID = pathlib.Path("/etc/machine-id")

# The start time is field 22 of /proc/PID/stat.  It is counted here from the
# state, which is field 3 and follows the command's closing parenthesis.
_START_TICKS = 19


class RunState(enum.Enum):
    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Process:
    """The identity of a run's process.

    :param machine: id of the machine, because names are not unique; empty
        if it has none
    :param boot: id that changes whenever the machine boots
    :param namespace: process namespace in which the process number is valid
    :param start_ticks: the kernel's start time of the process, because
        process numbers are reused
    """

    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    start_ticks: int


@dataclasses.dataclass(frozen=True)
class RunMarker:
    """A run of one workload of a task.

    :param workload: uuid of the workload, from which Rally generates names
    :param database: hash of the address of Rally's database; the address
        itself may contain a password
    :param cloud: address of Keystone and name of the region
    :param started_at: seconds since 1970
    """

    task: str
    workload: str
    process: Process
    database: str
    cloud: str
    started_at: float

    @property
    def owners(self) -> tuple[str, str]:
        """The ids from which Rally generates the names of resources."""
        return self.workload, self.task

    def to_json(self) -> dict[str, Any]:
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, content: Any) -> RunMarker | None:
        """Read the content of a file.

        :returns: None when a newer release wrote it
        :raises ValueError: when the content is not a run marker
        """
        version = content.get("version") if isinstance(content, dict) else None
        if not isinstance(version, int):
            raise ValueError("it has no version")  # noqa: TRY004
        if version > VERSION:
            return None
        try:
            values = {f.name: content[f.name] for f in _FIELDS}
            values["process"] = Process(**values["process"])
            values["started_at"] = float(values["started_at"])
            text = (values[name] for name in _TEXTS)
            if not all(isinstance(each, str) and each for each in text):
                raise ValueError(f"one of {', '.join(_TEXTS)} is not a text")
        except (KeyError, TypeError) as error:
            raise ValueError(f"a key is missing or wrong: {error}") from error
        return cls(**values)


_FIELDS = dataclasses.fields(RunMarker)
_TEXTS = ("task", "workload", "database", "cloud")


@dataclasses.dataclass(frozen=True)
class Found:
    """A marker that was found.

    :param held: whether a process holds its lock; None when the file system
        does not support locks
    """

    path: pathlib.Path
    mark: RunMarker
    held: bool | None


@dataclasses.dataclass(frozen=True)
class Kept:
    """The marker of this run, locked until it is removed.

    :param file: the open and locked file, which forked workers share
    """

    path: pathlib.Path
    file: Any

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.file.close()

    def leave(self) -> None:
        """Leave the marker for the next start, which continues the cleanup."""
        self.file.close()


def folder(environ: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Return the folder of the markers; each user has one.

    :raises RuntimeError: when the user has no home folder
    """
    if given := environ.get(FOLDER_VARIABLE):
        return pathlib.Path(given) / "runs"
    base = environ.get("XDG_STATE_HOME") or pathlib.Path(
        environ.get("HOME") or pathlib.Path.home(), ".local/state"
    )
    return pathlib.Path(base, "rally-magnum-scale/runs")


def this_process() -> Process:
    machine = _MACHINE_ID.read_text().strip() if _MACHINE_ID.exists() else ""
    return Process(
        host=socket.gethostname(),
        machine=machine,
        boot=(_PROC / "sys/kernel/random/boot_id").read_text().strip(),
        namespace=str((_PROC / "self/ns/pid").readlink()),
        pid=os.getpid(),
        start_ticks=start_ticks(os.getpid()) or 0,
    )


def database() -> str:
    """Return the hash of the address of Rally's database.

    The address itself may contain a password.
    """
    address = str(cfg.CONF.database.connection)
    return hashlib.sha256(address.encode()).hexdigest()


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks since boot.

    :returns: None when the process does not exist or is a zombie
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[_START_TICKS])


def write(where: pathlib.Path, mark: RunMarker) -> Kept:
    """Write the marker of this run atomically, and lock it.

    :raises OSError: when the folder can't be written
    """
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=where, prefix=".", suffix=".new")
    file = os.fdopen(number, "w")
    try:
        # On a file system without locks, later starts only log a warning.
        with contextlib.suppress(OSError):
            file_locks.take(file)
        json.dump(mark.to_json(), file)
        file.flush()
        os.fsync(file.fileno())
        path = where / f"{mark.task}.{mark.workload}.json"
        pathlib.Path(name).replace(path)
    except BaseException:
        file.close()
        pathlib.Path(name).unlink(missing_ok=True)
        raise
    return Kept(path, file)


def read_all(where: pathlib.Path, log: Callable[[str], None]) -> list[Found]:
    """Read the markers of all runs.

    A file that is not a marker is moved aside, unless a newer release wrote
    it.

    :param log: receives a sentence for each such file
    """
    found = []
    for path in sorted(where.glob("*.json")):
        try:
            with path.open() as file:
                mark = RunMarker.from_json(json.load(file))
                held = _is_held(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            log(f"A run marker can't be read: {error}.")
        except ValueError as error:
            log(_set_aside(path, error))
        else:
            if mark:
                found.append(Found(path, mark, held))
                continue
            log(f"A newer release wrote the run marker {path}; it is ignored.")
    return found


def _is_held(file: Any) -> bool | None:
    try:
        # A shared lock, so that two concurrent checks don't see each other.
        return not file_locks.take(file, shared=True)
    except OSError:
        return None


def _set_aside(path: pathlib.Path, error: Exception) -> str:
    aside = path.with_suffix(".unreadable")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return (
        f"The run marker {path.name} can't be read ({error}) and was moved "
        f"to {aside}. If that run left anything, remove it by hand."
    )


def judge(
    found: Found, here: Process, cloud: str, *, same_database: bool
) -> tuple[RunState, str]:
    """Return whether a run is proven dead, and why, in words.

    :param here: this process
    :param cloud: as in :class:`RunMarker`, of this process
    :param same_database: whether both use the same Rally database
    """
    process = found.mark.process
    if found.held:
        return (
            RunState.ALIVE,
            f"one of its processes is alive (its first was {process.pid})",
        )
    state, why = judge_process(process, here, same_database=same_database)
    if state is not RunState.DEAD:
        return state, why
    if found.held is None:
        return RunState.UNKNOWN, (
            f"the file system of {found.path.parent} does not support locks, "
            "so its workers may be alive"
        )
    if found.mark.cloud != cloud:
        return RunState.UNKNOWN, (
            f"its process {process.pid} is gone, but it ran on another cloud, "
            f"{found.mark.cloud}; start a task there"
        )
    return state, why


def judge_process(
    process: Process, here: Process, *, same_database: bool
) -> tuple[RunState, str]:
    """Return whether a process is proven gone, and why, in words."""
    if (process.host, process.machine) != (here.host, here.machine):
        return RunState.UNKNOWN, (
            f"it was started on the host {process.host}, and only a start on "
            "that host can check whether it has ended"
        )
    if _runs(process, here):
        return RunState.ALIVE, f"its process {process.pid} is alive"
    if not same_database:
        return RunState.UNKNOWN, (
            f"its process {process.pid} is gone, but it wrote to another "
            "Rally database; start a task with that database"
        )
    return RunState.DEAD, f"its process {process.pid} is gone"


def _runs(process: Process, here: Process) -> bool:
    if (process.boot, process.namespace) != (here.boot, here.namespace):
        return False
    return start_ticks(process.pid) == process.start_ticks


@contextlib.contextmanager
def alone(where: pathlib.Path, deadline_s: float = 3.0) -> Iterator[bool]:
    """Let only one start at a time remove the leftovers of dead runs.

    :param deadline_s: how long to wait for another start
    :returns: False when another start is still removing leftovers
    """
    lock = file_locks.locked_within(
        where / "removal.lock",
        deadline_s,
        what="another start that removes leftovers",
        interval_s=0.2,
    )
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock)
            taken = True
        except (exceptions.DeadlineExceeded, OSError):
            taken = False
        yield taken
