"""A cloud with leftovers, and Rally with a database of its own."""

import dataclasses
import subprocess
import sys

import pytest
from rally import plugins

from rally_magnum_scale import retries
from rally_magnum_scale.task.recovery import run_markers
from tests.unit.reap import fake_cloud
from tests.unit.task.conftest import database

__all__ = ["database"]

plugins.load()


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    with fake_cloud.serve() as served, retries.patience(0.0):
        yield served


@pytest.fixture
def dead_process():
    """The identity of a process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    here = run_markers.this_process()
    return dataclasses.replace(here, pid=ended.pid, start_ticks=1)
