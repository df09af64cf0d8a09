"""The check of the machine has one sentence for each requirement."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rally_magnum_sandbox.artifacts import machine

STATE, CACHE = Path("/state"), Path("/cache")
NEEDS = {CACHE: 6 * 10**9, STATE: 10**9}


@dataclasses.dataclass
class Readings(machine.Machine):
    """A machine that lacks nothing by default.

    :param refused: words of commands that fail
    :param systems: the number of the file system of each folder
    """

    user: int = 0
    programs: tuple[str, ...] = ("unshare", "ip", "iptables", "modprobe")
    refused: tuple[str, ...] = ()
    filters_bridges: bool = True
    controllers: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    memory_bytes: int = 8 * 10**9
    free_bytes: int = 20 * 10**9
    systems: tuple[int, int] = (1, 1)
    ran: list[str] = dataclasses.field(default_factory=list)

    def uid(self) -> int:
        return self.user

    def has_program(self, name: str) -> bool:
        return name in self.programs

    def failure(self, *command: str) -> str:
        line = " ".join(command)
        self.ran.append(line)
        denied = any(words in line for words in self.refused)
        return "Operation not permitted" if denied else ""

    def bridge_filter_loaded(self) -> bool:
        return self.filters_bridges

    def missing_controllers(self) -> list[str]:
        return list(self.controllers)

    def read_only_hierarchies(self) -> list[str]:
        return list(self.read_only)

    def available_memory_bytes(self) -> int:
        return self.memory_bytes

    def free_disk(self, folder: Path) -> tuple[int, int]:
        return self.systems[folder == STATE], self.free_bytes


def test_a_sufficient_machine_lacks_nothing() -> None:
    assert machine.missing_things(NEEDS, Readings()) == []


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        (Readings(user=1000), ("run as root", "the uid 1000", "with sudo")),
        (
            Readings(refused=("mount -t overlay",)),
            ("overlay file system", "not permitted", "the module 'overlay'"),
        ),
        (
            Readings(refused=("-- sh -c true",)),
            ("network namespaces", "not permitted", "CONFIG_NET_NS"),
        ),
        (
            Readings(refused=("type bridge",)),
            ("network bridges", "not permitted", "the module 'bridge'"),
        ),
        (
            Readings(refused=("type veth",)),
            ("veth pairs", "not permitted", "the module 'veth'"),
        ),
        (
            Readings(refused=("-t nat",)),
            ("address translation", "not permitted", "'nf_nat'"),
        ),
        (
            Readings(filters_bridges=False, refused=("br_netfilter",)),
            ("module br_netfilter", "not permitted", "a kernel that has it"),
        ),
        (
            Readings(controllers=("cpuset", "pids")),
            ("but cpuset, pids can't be used here", "mount them"),
        ),
        (
            Readings(read_only=("/sys/fs/cgroup",)),
            ("/sys/fs/cgroup can't be written to", "privileged"),
        ),
        (
            Readings(memory_bytes=1_240_000_000),
            ("needs 3.0 GB of memory", "only 1.2 GB", "MemAvailable"),
        ),
        (
            Readings(free_bytes=5 * 10**9),
            ("needs 7.0 GB of disk", "/cache and /state", "5.0 GB are free"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_one_sentence_names_a_missing_requirement(
    readings: Readings, words: tuple[str, ...]
) -> None:
    (sentence,) = machine.missing_things(NEEDS, readings)
    for word in words:
        assert word in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_all_missing_requirements_are_reported() -> None:
    poor = Readings(
        refused=("unshare", "modprobe"),
        filters_bridges=False,
        controllers=("cpu",),
        memory_bytes=0,
        free_bytes=0,
    )
    # Four network features, overlay, bridge filter, controllers, memory
    # and disk.
    assert len(machine.missing_things(NEEDS, poor)) == 9


def test_each_disk_is_checked_by_itself() -> None:
    two = Readings(free_bytes=2 * 10**9, systems=(1, 2))
    (sentence,) = machine.missing_things(NEEDS, two)
    assert "needs 6.0 GB of disk space for /cache, but" in sentence


def test_features_without_their_program_are_skipped() -> None:
    bare = Readings(
        programs=("unshare",),
        filters_bridges=False,
        refused=("ip link", "iptables", "modprobe"),
    )
    assert machine.missing_things(NEEDS, bare) == []
    assert not any("iptables" in line for line in bare.ran)


def test_without_root_only_that_is_reported() -> None:
    other = Readings(user=1000, memory_bytes=0)
    assert len(machine.missing_things(NEEDS, other)) == 1
    assert other.ran == []


def test_the_readings_of_this_machine(tmp_path: Path) -> None:
    real = machine.Machine()
    assert real.available_memory_bytes() > 10**6
    device, free_bytes = real.free_disk(tmp_path / "not" / "there")
    assert device == tmp_path.stat().st_dev
    assert free_bytes > 0
    assert real.failure("true") == ""
    assert real.failure("sh", "-c", "echo no luck. >&2; exit 3") == "no luck"
    assert "exited with 1" in real.failure("false")
    assert "no-such-program" in real.failure("no-such-program")
    assert real.has_program("sh")
    assert not real.has_program("no-such-program")
