"""Bring the sandbox up; what is up already stays."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import psutil

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import client_environment
from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import repair
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting

DEADLINE_S = 3600.0
GIVE_UP_DEADLINE_S = 30.0
# The cache holds 0.7 GB; Go's and pip's own caches and what is built in come
# on top while it is filled.
CACHE_BYTES = 6 * 10**9
CACHED_BYTES = 10**8
# Databases, logs, and the data of some bays.
STATE_BYTES = 10**9
# 107 is the limit of the path of a socket; containerd makes one 52 deeper.
LONGEST_STATE_DIR = 50
Jobs = dict[str, "concurrent.futures.Future[Any]"]
Kubernetes = tuple[pathlib.Path, str]


def up(settings: sandbox_settings.Settings, report: commands.Report) -> None:
    """Install, start and prepare all that is missing.

    What crashed of a sandbox that was up is started again, its bays' parts
    too.

    :param settings: of the sandbox
    :param report: gets lines of progress
    :raises InvalidInput: when a folder or a binary that was named will not
        do; nothing was made then
    :raises MissingRequirement: a sentence for each thing that the machine
        lacks; nothing was made then
    :raises SandboxError: when something does not install or start
    """
    given = check_input(settings)
    if is_up(settings) and not given:
        _mend(settings, report)
        return
    # One that was up has all that it needs of the machine.
    if not settings.ready_file.exists():
        check_machine(settings, given, report)
    _make_folders(settings)
    with _locked(settings):
        inotify.raise_limit(settings, report)
        secrets = secrets_file.ensure(settings.state_dir)
        _run_jobs(settings, secrets, given, report)
        cloud.wait_until_healthy(settings)
        client_environment.write_files(settings, secrets)
        _note_ready(settings)
    repair.repair_bays(settings, report)
    report(f"the sandbox is up; its files are in {settings.state_dir}")


def is_up(settings: sandbox_settings.Settings) -> bool:
    """Tell whether every server runs; bays are another matter."""
    return settings.ready_file.exists() and cloud.healthy(settings)


def prepare(
    settings: sandbox_settings.Settings, report: commands.Report
) -> None:
    """Fill the cache only: what is slow, and what ``up`` needs.

    :raises InvalidInput: as :func:`up`
    :raises MissingRequirement: as :func:`up`
    """
    given = check_input(settings)
    check_machine(settings, given, report)
    folders.claim_cache(settings)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        _finish(_artifact_jobs(pool, settings, given, report))


def check_input(
    settings: sandbox_settings.Settings,
) -> artifacts.GivenBinaries | None:
    """Check the folders, and the Kubernetes binaries if any are given.

    :returns: these binaries
    :raises InvalidInput: a sentence for each thing that is wrong
    :raises SandboxError: when another version left the state folder
    """
    folders.check(settings)
    if settings.kubernetes_binaries is None:
        return None
    return artifacts.check_binaries(settings.kubernetes_binaries)


def check_machine(
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    report: commands.Report,
) -> None:
    """Check that this machine can carry the sandbox.

    What the trials of the network need is installed between a first and a
    second look.

    :param settings: of the sandbox
    :param given: Kubernetes binaries that need not be built
    :param report: told what is installed
    :raises MissingRequirement: a sentence for each thing that is missing
    """
    _refuse(_too_long(settings) + _missing(settings, given))
    if artifacts.ensure_system_packages(report):
        _refuse(_missing(settings, given))


def _missing(
    settings: sandbox_settings.Settings, given: artifacts.GivenBinaries | None
) -> list[str]:
    cache = settings.cache_dir
    made = servers_environment.is_made(cache) and artifacts.is_complete(
        cache, given
    )
    needs = {
        cache: CACHED_BYTES if made else CACHE_BYTES,
        settings.state_dir: STATE_BYTES,
    }
    return artifacts.missing_things(needs)


def _too_long(settings: sandbox_settings.Settings) -> list[str]:
    if len(str(settings.state_dir)) <= LONGEST_STATE_DIR:
        return []
    return [
        f"The path {settings.state_dir} is longer than {LONGEST_STATE_DIR} "
        "characters, and the sockets below it would have names longer than "
        f"Linux allows; set {sandbox_settings.STATE_VARIABLE} to a shorter "
        "one."
    ]


def _refuse(missing: list[str]) -> None:
    if missing:
        raise exceptions.MissingRequirement("\n".join(missing))


def _mend(
    settings: sandbox_settings.Settings, report: commands.Report
) -> None:
    inotify.raise_limit(settings, report)
    repaired = repair.repair_bays(settings, report)
    state = "up again" if repaired else "up already"
    report(f"the sandbox in {settings.state_dir} is {state}")


def _make_folders(settings: sandbox_settings.Settings) -> None:
    folders.claim(settings)
    for folder in (settings.bays_dir, settings.logs_dir):
        folder.mkdir(mode=0o700, exist_ok=True)
    (settings.state_dir / "run").mkdir(mode=0o700, exist_ok=True)


def _note_ready(settings: sandbox_settings.Settings) -> None:
    if not settings.ready_file.exists():
        bay_folder.write_json(settings.ready_file, {"since_s": time.time()})


def _run_jobs(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    given: artifacts.GivenBinaries | None,
    report: commands.Report,
) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = _artifact_jobs(pool, settings, given, report)
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
        program, version = jobs["Kubernetes"].result()
        bay_folder.write_json(
            settings.artifacts_file,
            {
                "kubernetes_binary": str(program),
                "kubernetes_version": version,
                "kubernetes_given": given is not None,
                "image_store": str(jobs["the container image"].result()),
            },
        )
        if given:
            report(f"bays are made of Kubernetes {version} in {given.path}")


def _artifact_jobs(
    pool: concurrent.futures.Executor,
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    report: commands.Report,
) -> Jobs:
    cache = settings.cache_dir
    return {
        "the servers' programs": pool.submit(
            servers_environment.ensure, cache, report
        ),
        "Kubernetes": pool.submit(_kubernetes, settings, given, report),
        "the container image": pool.submit(
            artifacts.ensure_image, cache, report
        ),
    }


def _kubernetes(
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    report: commands.Report,
) -> Kubernetes:
    if given:
        program = artifacts.ensure_program(given, settings.cache_dir)
        return program, given.version
    # What was given to an earlier `up` holds until `down`.
    known = bay_folder.read_json(settings.artifacts_file)
    if known.get("kubernetes_given"):
        return (
            pathlib.Path(known["kubernetes_binary"]),
            known["kubernetes_version"],
        )
    binary = artifacts.ensure_kubernetes_binary(settings.cache_dir, report)
    return binary, artifacts.built_version()


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
