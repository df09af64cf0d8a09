"""Start the sandbox; parts that already run are left alone."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import psutil

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import bay_commands
from rally_magnum_sandbox import client_environment
from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.cluster_api import management
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import faults
from rally_magnum_scale import commands
from rally_magnum_scale import file_locks
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting

DEADLINE_S = 3600.0
CANCEL_DEADLINE_S = 30.0
# The finished cache holds 0.7 GB. While it is filled, the caches of Go and pip
# and the build folders add to that.
CACHE_BYTES = 6 * 10**9
CACHED_BYTES = 10**8
# Databases, logs, and the data of a few bays.
STATE_BYTES = 10**9
# Enough for all jobs, because some wait for others.
JOBS = 12
# A socket's path has at most 107 characters; containerd's socket path is 52
# characters longer than the state folder's.
LONGEST_STATE_DIR = 50
Jobs = dict[str, "concurrent.futures.Future[Any]"]
Kubernetes = tuple[pathlib.Path, str]


def up(settings: sandbox_settings.Settings, log: commands.Log) -> None:
    """Install and start everything that is missing.

    If the sandbox was up before, this restarts its crashed servers and the
    crashed components of its bays.

    :param settings: of the sandbox
    :param log: gets progress lines
    :raises InvalidInput: if a configured folder or binary can't be used;
        nothing was created
    :raises MissingRequirement: if the machine lacks requirements, with one
        sentence for each; nothing was created
    :raises CommandFailed: if a part can't be installed
    :raises SandboxError: if a part can't be started
    """
    given = check_input(settings)
    # Before any check, because a fault makes a server look unhealthy.
    faults.Faults(settings.faults_file).clear()
    if is_up(settings) and not given:
        _repair(settings, log)
        return
    # A sandbox that was up before has already passed the machine's check.
    if not settings.ready_file.exists():
        check_machine(settings, given, log)
    _make_folders(settings)
    with _locked(settings):
        inotify.raise_limit(settings, log)
        secrets = secrets_file.ensure(settings.state_dir)
        _run_jobs(settings, secrets, given, log)
        cloud.wait_until_healthy(settings)
        client_environment.write_files(settings, secrets)
        _note_ready(settings)
    bay_commands.repair_all(settings, log)
    log(f"the sandbox is up; its files are in {settings.state_dir}")


def is_up(settings: sandbox_settings.Settings) -> bool:
    """Tell whether every server runs; bays are not checked."""
    return (
        settings.ready_file.exists()
        and _has_cluster_api(settings) == management.is_wanted(settings)
        and cloud.healthy(settings)
    )


def _has_cluster_api(settings: sandbox_settings.Settings) -> bool:
    """Tell whether the sandbox has Cluster API, or is to have it."""
    wanted = settings.driver == sandbox_settings.CAPI_HELM
    return wanted or management.is_wanted(settings)


def prepare(settings: sandbox_settings.Settings, log: commands.Log) -> None:
    """Fill the cache with everything that ``up`` installs or builds.

    :raises InvalidInput: like :func:`up`
    :raises MissingRequirement: like :func:`up`
    """
    given = check_input(settings)
    check_machine(settings, given, log)
    folders.claim_cache(settings)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        _finish(_artifact_jobs(pool, settings, given, log))


def check_input(
    settings: sandbox_settings.Settings,
) -> artifacts.GivenBinaries | None:
    """Check the folders, and the Kubernetes binaries if any are configured.

    :returns: the checked binaries, or None if none are configured
    :raises InvalidInput: with one sentence for each problem
    :raises SandboxError: if another version created the state folder
    """
    folders.check(settings)
    magnum = folders.magnum_version(settings)
    if settings.driver and magnum not in servers_environment.DRIVERS:
        raise exceptions.InvalidInput(
            f"--driver {settings.driver}: Magnum {magnum} does not have this "
            "driver. Use another version of Magnum."
        )
    if settings.kubernetes_binaries is None:
        return None
    return artifacts.check_binaries(settings.kubernetes_binaries)


def check_machine(
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    log: commands.Log,
) -> None:
    """Check that this machine can run the sandbox.

    The network checks need Debian packages. If any are missing, this installs
    them and checks again.

    :param settings: of the sandbox
    :param given: Kubernetes binaries to use instead of a build
    :param log: gets a line that lists the installed packages
    :raises MissingRequirement: with one sentence for each missing
        requirement
    """
    _refuse(_too_long(settings) + _missing(settings, given))
    if artifacts.ensure_system_packages(log):
        _refuse(_missing(settings, given))


def _missing(
    settings: sandbox_settings.Settings, given: artifacts.GivenBinaries | None
) -> list[str]:
    cache, magnum = settings.cache_dir, folders.magnum_version(settings)
    made = servers_environment.is_made(
        cache, magnum
    ) and artifacts.is_complete(
        cache, given, with_cluster_api=_has_cluster_api(settings)
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
        "characters, so the paths of the sockets below it would be longer "
        f"than Linux allows. Set {sandbox_settings.STATE_VARIABLE} to a "
        "shorter path."
    ]


def _refuse(missing: list[str]) -> None:
    if missing:
        raise exceptions.MissingRequirement("\n".join(missing))


def _repair(settings: sandbox_settings.Settings, log: commands.Log) -> None:
    inotify.raise_limit(settings, log)
    repaired = bay_commands.repair_all(settings, log)
    state = "up again" if repaired else "up already"
    log(f"the sandbox in {settings.state_dir} is {state}")


def _make_folders(settings: sandbox_settings.Settings) -> None:
    folders.claim(settings)
    for folder in (settings.bays_dir, settings.logs_dir):
        folder.mkdir(mode=0o700, exist_ok=True)
    (settings.state_dir / "run").mkdir(mode=0o700, exist_ok=True)
    if _has_cluster_api(settings):
        management.request(settings)


def _note_ready(settings: sandbox_settings.Settings) -> None:
    if not settings.ready_file.exists():
        bay_folder.write_json(settings.ready_file, {"since_s": time.time()})


def _run_jobs(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    given: artifacts.GivenBinaries | None,
    log: commands.Log,
) -> None:
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = _artifact_jobs(pool, settings, given, log)
        servers = jobs["the servers' programs"]
        capi_helm: sandbox_settings.CapiHelm | None = None
        if _has_cluster_api(settings):
            capi_helm = management.capi_helm(settings)
            jobs["the management cluster"] = pool.submit(
                _start_management, settings, jobs, log
            )

        def start_servers() -> None:
            found = servers.result()
            assert isinstance(found, servers_environment.ServersEnvironment)
            cloud.ensure(settings, secrets, found, log, capi_helm)

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
            log(f"new bays use Kubernetes {version} from {given.path}")


def _start_management(
    settings: sandbox_settings.Settings, jobs: Jobs, log: commands.Log
) -> None:
    program, _ = jobs["Kubernetes"].result()
    programs = management.Programs(
        program,
        jobs["Cluster API"].result(),
        jobs["the servers' programs"].result().python,
    )
    management.ensure(settings, programs, log)


def _artifact_jobs(
    pool: concurrent.futures.Executor,
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    log: commands.Log,
) -> Jobs:
    cache = settings.cache_dir
    jobs: Jobs = {
        "the servers' programs": pool.submit(
            servers_environment.ensure,
            cache,
            folders.magnum_version(settings),
            log,
        ),
        "Kubernetes": pool.submit(_kubernetes, settings, given, log),
        "the container image": pool.submit(artifacts.ensure_image, cache, log),
    }
    if _has_cluster_api(settings):
        jobs["Cluster API"] = pool.submit(
            artifacts.ensure_cluster_api, cache, log
        )
        jobs["Helm"] = pool.submit(artifacts.ensure_helm, cache, log)
    return jobs


def _kubernetes(
    settings: sandbox_settings.Settings,
    given: artifacts.GivenBinaries | None,
    log: commands.Log,
) -> Kubernetes:
    if given:
        program = artifacts.ensure_program(given, settings.cache_dir)
        return program, given.version
    # Binaries that an earlier `up` was given stay in use until `down`.
    known = bay_folder.read_json(settings.artifacts_file)
    if known.get("kubernetes_given"):
        return (
            pathlib.Path(known["kubernetes_binary"]),
            known["kubernetes_version"],
        )
    binary = artifacts.ensure_kubernetes_binary(settings.cache_dir, log)
    return binary, artifacts.built_version()


def _finish(jobs: Jobs) -> None:
    """Wait for all jobs; stop them if one fails or on an interrupt."""
    try:
        waiting.wait_for(
            lambda: _all_done(jobs),
            what="the sandbox's parts",
            deadline_s=DEADLINE_S,
            interval_s=0.1,
            progress=lambda: "waiting for " + ", ".join(_pending(jobs)),
        )
    except BaseException:
        _cancel(jobs)
        raise


def _cancel(jobs: Jobs) -> None:
    end = time.monotonic() + CANCEL_DEADLINE_S
    for job in jobs.values():
        job.cancel()
    # A thread may still start its next program: kill until all have ended.
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
    # The threads that wait for these processes then end too.
    for child in psutil.Process().children():
        if not _is_server(child):
            commands.end_tree(child.pid)


def _is_server(process: psutil.Process) -> bool:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid) == process.pid
    return False


@contextlib.contextmanager
def _locked(settings: sandbox_settings.Settings) -> Iterator[None]:
    with file_locks.locked_within(
        settings.state_dir / "up.lock",
        DEADLINE_S,
        what="another `rally-magnum-sandbox up` to finish",
        interval_s=0.5,
    ):
        interruption.check()
        yield
