"""The control groups of a sandbox's pods, and the CPU seconds they use."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox.bay import cgroups
from tests.functional import conftest

READ_EVERY_S = 0.1


@dataclasses.dataclass
class Group:
    """A pod's control group, looked at again and again.

    :param component: what runs in it, by its command
    :param seen: epoch seconds, and CPU seconds used until then
    """

    folder: Path
    component: str
    seen: list[tuple[float, float]]

    def used_s(self, start_s: float, end_s: float) -> float:
        """Return what was used over a stretch of time."""
        return self._at(end_s) - self._at(start_s)

    def _at(self, at_s: float) -> float:
        for (before_s, first), (after_s, last) in itertools.pairwise(
            self.seen
        ):
            if before_s <= at_s <= after_s:
                share = (at_s - before_s) / (after_s - before_s)
                return first + (last - first) * share
        raise AssertionError(f"{self.folder} was not seen at {at_s}")


class Groups:
    """The control groups of all pods of all bays of the sandbox."""

    def __init__(self, sandbox: conftest.Sandbox) -> None:
        mounts = Path("/proc/self/mountinfo").read_text()
        used = cgroups.used_hierarchies(cgroups.parse_hierarchies(mounts))
        (self._root,) = (
            one.root
            for one in used
            if one.version == 2 or "cpuacct" in one.controllers
        )
        self._version = used[0].version
        self._bays = self._root / sandbox.settings.bays_cgroup
        self._found: dict[Path, Group] = {}

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look at them, in a thread, for as long as the context is open."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(READ_EVERY_S):
                self._look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def of_bay(self, uuid: str, component: str) -> list[Group]:
        """Return the groups of one bay's pods that run a component."""
        return [
            group
            for group in self._found.values()
            if uuid[:8] in str(group.folder) and group.component == component
        ]

    def _look(self) -> None:
        for folder in self._bays.glob("**/pod*"):
            # A pod may go while it is looked at.
            with contextlib.suppress(OSError):
                group = self._found.get(folder) or self._new(folder)
                group.seen.append((time.time(), self._used_s(folder)))

    def _new(self, folder: Path) -> Group:
        group = Group(folder, _component(folder), [])
        if group.component:
            self._found[folder] = group
        return group

    def _used_s(self, folder: Path) -> float:
        if self._version == 1:
            return int((folder / "cpuacct.usage").read_text()) / 1e9
        words = (folder / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6


def _component(folder: Path) -> str:
    """Tell a target from the load; empty while nothing runs in it."""
    for procs in folder.glob("*/cgroup.procs"):
        for pid in procs.read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if command.startswith(b"nginx"):
                return "targets"
            if b"locustfile.py" in command:
                return "generators"
    return ""
