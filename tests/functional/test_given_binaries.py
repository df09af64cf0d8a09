"""A bay of Kubernetes binaries that were given by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.artifacts import given_binaries
from tests.functional import test_bay_by_hand as by_hand

make_bay = by_hand.make_bay
before = by_hand.before


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A folder like an unpacked release: one file for each component."""
    cache_dir = sandbox_settings.from_environment().cache_dir
    binary = artifacts.ensure_kubernetes_binary(cache_dir, print)
    folder = tmp_path / "official binaries"
    folder.mkdir()
    for name in given_binaries.COMPONENTS:
        (folder / name).symlink_to(binary)
    return folder


def test_a_bay_of_official_binaries(
    make_bay: Callable[..., by_hand.Bay],
    official: Path,
    tmp_path: Path,
) -> None:
    given = given_binaries.check_binaries(official)
    assert given.version == artifacts.built_version()
    program = given_binaries.ensure_program(given, tmp_path)
    bay = make_bay(0, node_count=3, kubernetes_binary=str(program))
    code, output = bay.run("create")
    assert code == 0, output
    assert bay.status["status"] == "CREATE_COMPLETE"
    for name in given_binaries.COMPONENTS:
        process = psutil.Process(bay.pid_of(name))
        assert process.cmdline()[0] == str(official / name)
    assert bay.run("delete") == (0, "")
    assert not bay.folder.exists()
