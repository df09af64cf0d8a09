"""Take the sandbox away together with its cache."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import pathlib
from collections.abc import Iterator

import psutil

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import cgroups
from rally_magnum_sandbox import down
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status_text
from rally_magnum_scale import commands


def purge(
    settings: sandbox_settings.Settings, report: commands.Report
) -> None:
    """Remove the sandbox, its cache, and say what stays.

    :param settings: of the sandbox
    :param report: gets lines of progress; one says how much disk came free
    :raises InvalidInput: when a folder is somebody else's; nothing was
        removed then
    :raises SandboxError: when somebody builds in the cache, another sandbox
        uses it, or something stays
    """
    folders.check_ours(settings.state_dir, *folders.STATE)
    folders.check_ours(settings.cache_dir, *folders.CACHE)
    _check_no_other_uses_it(settings)
    with nobody_builds(settings.cache_dir):
        used = [
            folders.used_bytes(path)
            for path in (settings.state_dir, settings.cache_dir)
        ]
        down.down(settings, report)
        remove_cache(settings.cache_dir)
    artifacts.PACKAGES_LOG.unlink(missing_ok=True)
    report(
        f"{status_text.size(sum(used))} of disk came free: "
        f"{status_text.size(used[0])} in {settings.state_dir}, "
        f"{status_text.size(used[1])} in {settings.cache_dir}"
    )
    for sentence in what_stays():
        report(sentence)


def _check_no_other_uses_it(settings: sandbox_settings.Settings) -> None:
    for number in range(sandbox_settings.SANDBOXES):
        other = dataclasses.replace(settings, number=number)
        caches = map(_cache_of, cgroups.processes(other.cloud_cgroup))
        if number != settings.number and str(settings.cache_dir) in caches:
            raise exceptions.SandboxError(
                f"Nothing was removed: the sandbox with the number {number} "
                f"uses {settings.cache_dir} too; take it down first, with "
                f"{sandbox_settings.NUMBER_VARIABLE}={number} in the "
                "environment of `rally-magnum-sandbox down`."
            )


def _cache_of(pid: int) -> str | None:
    with contextlib.suppress(psutil.Error):
        environment = psutil.Process(pid).environ()
        return environment.get(sandbox_settings.CACHE_VARIABLE)
    return None


@contextlib.contextmanager
def nobody_builds(cache_dir: pathlib.Path) -> Iterator[None]:
    """Keep everybody from building in the cache.

    :raises SandboxError: when somebody does already
    """
    with contextlib.ExitStack() as stack:
        for path in sorted(cache_dir.glob("*.lock")):
            lock = stack.enter_context(path.open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise exceptions.SandboxError(
                    f"Nothing was removed: another process builds in "
                    f"{cache_dir} (it holds {path.name}); wait until it has "
                    "ended, or end it."
                ) from error
        yield


def remove_cache(cache_dir: pathlib.Path) -> None:
    """Remove the cache.

    :raises SandboxError: naming what stayed
    """
    if not folders.remove(cache_dir):
        left = ", ".join(sorted(path.name for path in cache_dir.iterdir()))
        raise exceptions.SandboxError(
            f"The cache {cache_dir} could not be removed, since {left} "
            "stayed in it; look who uses it, and run `rally-magnum-sandbox "
            "purge` again."
        )


def what_stays() -> list[str]:
    """Say what was installed or filled for the sandbox and is not its own."""
    said = []
    with contextlib.suppress(exceptions.MissingRequirement):
        missing = artifacts.missing_packages()
        there = [x for x in artifacts.SYSTEM_PACKAGES if x not in missing]
        if there:
            said.append(
                "Debian packages stay, since others may use them: "
                f"{', '.join(there)}; remove with apt-get what you don't need"
            )
    caches = artifacts.go_caches()
    if caches:
        said.append(
            "the caches of this machine's Go stay: "
            f"{', '.join(map(str, caches))}; `go clean -cache -modcache` "
            "empties them"
        )
    return said
