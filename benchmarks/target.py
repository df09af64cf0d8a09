"""An nginx on loopback, configured as the targets in a bay are."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx as nginx_pod

READY_S = 10.0


@dataclass(frozen=True)
class Target:
    """A running nginx.

    :param port: where it listens on 127.0.0.1
    """

    port: int

    @property
    def url(self) -> str:
        """What is asked."""
        return f"http://127.0.0.1:{self.port}/"

    def requests(self) -> int:
        """Return how many requests it has counted, these ones left out."""
        url = f"http://127.0.0.1:{self.port}{nginx_pod.STATUS_PATH}"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return nginx_pod.requests_counted(answer.read().decode()) - 1


def install(program: str, package: str) -> str:
    """Return the path of a program, from its Debian package if need be.

    :raises RuntimeError: when it can't be installed
    """
    path = shutil.which(program)
    if path is None:
        for arguments in (["update"], ["install", "--yes", package]):
            subprocess.run(
                ["apt-get", "--quiet", *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        path = shutil.which(program)
    if path is None:
        raise RuntimeError(
            f"There is no {program}, not even after installing the Debian "
            f"package {package}; install it by hand."
        )
    return path


def pinned(core: int, command: list[str]) -> list[str]:
    """Return a command that stays on one core, if there is more than one.

    Generator and target on a core each make runs comparable: the
    scheduler does not decide who gets how much.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return command
    return ["taskset", "--cpu-list", str(cores[core]), *command]


@contextlib.contextmanager
def nginx() -> Iterator[Target]:
    """Run an nginx with one process on the first core."""
    program = install("nginx", "nginx-light")
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        conf = Path(folder) / "nginx.conf"
        conf.write_text(_conf(folder, port))
        process = subprocess.Popen(
            pinned(0, [program, "-e", "stderr", "-c", str(conf)])
        )
        try:
            _wait(port)
            yield Target(port)
        finally:
            process.terminate()
            process.wait(10)


def _conf(folder: str, port: int) -> str:
    wanted = load_arguments.LoadArguments(
        steps=[{"rate_rps": None, "duration_s": 1}], target_processes=1
    )
    spec = wanted.spec(Source("bench", 1, "bench"))
    for one in manifests.foundation(spec):
        text: str = one.get("data", {}).get("nginx.conf", "")
        if text:
            return text.replace(
                f"listen {nginx_pod.PORT} ", f"listen 127.0.0.1:{port} "
            ).replace("/tmp", folder)  # noqa: S108
    raise LookupError("The manifests hold no nginx.conf.")


def _wait(port: int) -> None:
    end_s = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
        else:
            return
