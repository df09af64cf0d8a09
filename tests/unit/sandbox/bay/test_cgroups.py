from __future__ import annotations

from pathlib import Path

from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import deletion

MIXED = """\
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/pids rw shared:9 - cgroup cgroup rw,pids
33 30 0:29 / /no/such/unified rw - cgroup2 cgroup2 rw
"""


def test_hierarchies_of_both_versions_are_found() -> None:
    found = cgroups.parse_hierarchies(MIXED)
    assert [(h.version, str(h.root)) for h in found] == [
        (1, "/sys/fs/cgroup/cpu"),
        (1, "/sys/fs/cgroup/pids"),
        (2, "/no/such/unified"),
    ]
    assert {"cpu", "cpuacct"} <= found[0].controllers
    assert found[2].controllers == frozenset()


def test_the_controllers_of_version_2_are_read(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (found,) = cgroups.parse_hierarchies(
        f"33 30 0:29 / {tmp_path} rw - cgroup2 cgroup2 rw"
    )
    assert found.controllers == {"cpu", "memory", "pids"}


def test_mounts_below_a_folder_are_listed_deepest_first() -> None:
    info = "\n".join(
        f"40 30 0:29 / {target} rw - tmpfs tmpfs rw"
        for target in ("/", "/bays/1", "/bays/1/a\\040b", "/bays/1/a\\040b/c")
    )
    found = deletion.mounts_below(info + "\n", Path("/bays/1"))
    assert found == ["/bays/1/a b/c", "/bays/1/a b"]
    assert deletion.mounts_below(info, Path("/bays/10")) == []


def test_only_one_version_is_used_if_both_are_mounted() -> None:
    first = cgroups.Hierarchy(Path("/1"), 1, frozenset({"cpu"}))
    second = cgroups.Hierarchy(Path("/2"), 2, frozenset({"hugetlb"}))
    systemd = cgroups.Hierarchy(Path("/s"), 1, frozenset({"name=systemd"}))
    used = cgroups.used_hierarchies
    assert used([first, second, systemd]) == [first, systemd]
    assert used([second, systemd]) == [second]


def test_version_2_passes_controllers_to_children(tmp_path: Path) -> None:
    controllers = frozenset({"cpu", "memory"})
    unified = cgroups.Hierarchy(tmp_path, 2, controllers)
    cgroups._make(unified, "sandbox/bay")
    for folder in (tmp_path, tmp_path / "sandbox"):
        text = (folder / "cgroup.subtree_control").read_text()
        assert text == "+cpu +memory"
    assert list((tmp_path / "sandbox/bay").iterdir()) == []


def test_version_1_passes_cpus_to_children(tmp_path: Path) -> None:
    for name, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (tmp_path / name).write_text(value)
    (tmp_path / "bay").mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / "bay" / name).write_text("\n")
    cpuset = cgroups.Hierarchy(tmp_path, 1, frozenset({"cpuset"}))
    cgroups._make(cpuset, "bay")
    assert (tmp_path / "bay/cpuset.cpus").read_text() == "0-1\n"
