"""Rally's command line, without the seconds that its imports take.

Each command runs in a process of its own, forked from one that has already
imported Rally and all plugins.  The few tests that prove what a shell sees
(signals, process trees, the installed program) start ``rally`` itself.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path

_PRELOADED = "tests.functional.rally_preloaded"
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([_PRELOADED])


def start() -> None:
    """Start the process that all others are forked from, if there is none."""
    forkserver.ensure_running()


def run(
    arguments: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    deadline_s: float,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    :param arguments: of ``rally``
    :param env: its whole environment
    :param folder: in which it runs
    :raises TimeoutExpired: when it takes longer than ``deadline_s``
    """
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        process = _FORKS.Process(
            target=_rally, args=([*arguments], {**env}, folder, out, err)
        )
        process.start()
        process.join(deadline_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(
                ["rally", *arguments], deadline_s, out.read_bytes()
            )
        return subprocess.CompletedProcess(
            ["rally", *arguments],
            process.exitcode,
            out.read_text(),
            err.read_text(),
        )


def _rally(
    arguments: list[str],
    env: dict[str, str],
    folder: Path,
    out: Path,
    err: Path,
) -> None:
    for path, descriptor in ((out, 1), (err, 2)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    # Rally forks its own workers, as it does when a shell starts it.
    multiprocessing.set_start_method("fork", force=True)
    os.environ.clear()
    os.environ.update(env)
    # The process that this one is forked from has its own TMPDIR.
    tempfile.tempdir = None
    os.chdir(folder)
    sys.argv = ["rally", *arguments]
    sys.exit(importlib.import_module(_PRELOADED).main())
