"""Bring the sandbox up; what is up already stays."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Callable
from collections.abc import Iterator

import psutil

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.sandbox import artifacts
from rally_magnum_scale.sandbox import client_environment
from rally_magnum_scale.sandbox import cloud
from rally_magnum_scale.sandbox import commands
from rally_magnum_scale.sandbox import secrets_file
from rally_magnum_scale.sandbox import servers_environment
from rally_magnum_scale.sandbox import settings as sandbox_settings
from rally_magnum_scale.sandbox.servers import bay_folder

DEADLINE_S = 3600.0
GIVE_UP_DEADLINE_S = 30.0
# 107 is the limit of the path of a socket; containerd makes one 52 deeper.
LONGEST_STATE_DIR = 50
Jobs = dict[str, "concurrent.futures.Future[object]"]


def up(settings: sandbox_settings.Settings, report: commands.Report) -> None:
    """Install, start and prepare all that is missing.

    :param settings: of the sandbox
    :param report: gets lines of progress
    :raises MissingRequirement: a sentence for each thing that the machine
        lacks; nothing was made then
    :raises SandboxError: when something does not install or start
    """
    if is_up(settings):
        report(f"the sandbox in {settings.state_dir} is up already")
        return
    check_machine(settings, report)
    _make_folders(settings)
    with _locked(settings):
        secrets = secrets_file.ensure(settings.state_dir)
        _run_jobs(settings, secrets, report)
        cloud.wait_until_healthy(settings)
        client_environment.write_files(settings, secrets)
        bay_folder.write_json(settings.ready_file, {"since_s": time.time()})
    report(f"the sandbox is up; its files are in {settings.state_dir}")


def is_up(settings: sandbox_settings.Settings) -> bool:
    """Tell whether there is nothing left to do."""
    return settings.ready_file.exists() and cloud.healthy(settings)


def prepare(
    settings: sandbox_settings.Settings, report: commands.Report
) -> None:
    """Fill the cache only: what is slow, and what ``up`` needs."""
    check_machine(settings, report)
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        _finish(_artifact_jobs(pool, settings, report))


def check_machine(
    settings: sandbox_settings.Settings, report: commands.Report
) -> None:
    """Check that this machine can carry the sandbox.

    The check itself needs iproute2 and iptables, which are installed
    first where they are missing.

    :raises MissingRequirement: a sentence for each thing that is missing
    """
    if os.geteuid() == 0:
        artifacts.ensure_system_packages(report)
    missing = artifacts.check_machine(settings.cache_dir)
    if len(str(settings.state_dir)) > LONGEST_STATE_DIR:
        missing.append(
            f"The path {settings.state_dir} is longer than "
            f"{LONGEST_STATE_DIR} characters, and the sockets below it would "
            f"have names longer than Linux allows; set "
            f"{sandbox_settings.STATE_VARIABLE} to a shorter one."
        )
    if missing:
        raise exceptions.MissingRequirement("\n".join(missing))


def _make_folders(settings: sandbox_settings.Settings) -> None:
    # PostgreSQL's user must get through; what is secret is a file of 0600
    # or in a folder of 0700.
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    settings.state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    for folder in (settings.bays_dir, settings.logs_dir):
        folder.mkdir(mode=0o700, exist_ok=True)
    (settings.state_dir / "run").mkdir(mode=0o700, exist_ok=True)


def _run_jobs(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    report: commands.Report,
) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = _artifact_jobs(pool, settings, report)
        servers = jobs["the servers' programs"]

        def start_servers() -> None:
            found = servers.result()
            assert isinstance(found, servers_environment.ServersEnvironment)
            cloud.ensure(settings, secrets, found, report)

        jobs["the servers"] = pool.submit(start_servers)
        jobs["Rally's environment"] = pool.submit(
            client_environment.ensure_rally, settings, secrets
        )
        _finish(jobs)
        bay_folder.write_json(
            settings.bays_dir / "artifacts.json",
            {
                "kubernetes_binary": str(jobs["Kubernetes"].result()),
                "image_archive": str(jobs["the container image"].result()),
            },
        )


def _artifact_jobs(
    pool: concurrent.futures.Executor,
    settings: sandbox_settings.Settings,
    report: commands.Report,
) -> Jobs:
    cache = settings.cache_dir
    slow: dict[str, Callable[[pathlib.Path, commands.Report], object]] = {
        "the servers' programs": servers_environment.ensure,
        "Kubernetes": artifacts.ensure_kubernetes_binary,
        "the container image": artifacts.ensure_image,
    }
    return {
        name: pool.submit(make, cache, report) for name, make in slow.items()
    }


def _finish(jobs: Jobs) -> None:
    """Wait for all jobs; end them when one fails or we are interrupted."""
    try:
        waiting.wait_for(
            lambda: _all_done(jobs),
            what="the sandbox's parts",
            deadline_s=DEADLINE_S,
            interval_s=0.1,
            progress=lambda: "missing: " + ", ".join(_pending(jobs)),
        )
    except BaseException:
        _give_up(jobs)
        raise


def _give_up(jobs: Jobs) -> None:
    end = time.monotonic() + GIVE_UP_DEADLINE_S
    for job in jobs.values():
        job.cancel()
    # A thread may have been about to start the next program.
    while _pending(jobs) and time.monotonic() < end:
        _end_children()
        time.sleep(0.1)


def _all_done(jobs: Jobs) -> bool | None:
    for job in jobs.values():
        if job.done():
            job.result()
    return None if _pending(jobs) else True


def _pending(jobs: Jobs) -> list[str]:
    return [name for name, job in jobs.items() if not job.done()]


def _end_children() -> None:
    # The threads that wait for them end with them.
    for child in psutil.Process().children():
        if not _is_server(child):
            commands.end_tree(child.pid)


def _is_server(process: psutil.Process) -> bool:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid) == process.pid
    return False


@contextlib.contextmanager
def _locked(settings: sandbox_settings.Settings) -> Iterator[None]:
    def take() -> bool | None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return True

    with (settings.state_dir / "up.lock").open("a") as lock:
        waiting.wait_for(
            take,
            what="another `rally-magnum-sandbox up` to end",
            deadline_s=DEADLINE_S,
            interval_s=0.5,
        )
        interruption.check()
        yield
