"""Remove the sandbox and its cache."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

import psutil

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import down
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status_text
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_scale import commands
from rally_magnum_scale import file_locks


def purge(settings: sandbox_settings.Settings, log: commands.Log) -> None:
    """Remove the sandbox and its cache, and report what is kept.

    :param settings: of the sandbox
    :param log: gets progress lines, including the freed disk space
    :raises InvalidInput: if a folder is not the sandbox's; nothing was
        removed
    :raises SandboxError: if a process builds in the cache, if another
        sandbox uses the cache, or if something could not be removed
    """
    folders.check_ours(settings.state_dir, *folders.STATE)
    folders.check_ours(settings.cache_dir, *folders.CACHE)
    _check_cache_not_shared(settings)
    with nobody_builds(settings.cache_dir):
        used = [
            folders.used_bytes(path)
            for path in (settings.state_dir, settings.cache_dir)
        ]
        down.down(settings, log)
        remove_cache(settings.cache_dir)
    artifacts.PACKAGES_LOG.unlink(missing_ok=True)
    log(
        f"freed {status_text.size(sum(used))} of disk space: "
        f"{status_text.size(used[0])} in {settings.state_dir}, "
        f"{status_text.size(used[1])} in {settings.cache_dir}"
    )
    for sentence in what_stays():
        log(sentence)


def _check_cache_not_shared(settings: sandbox_settings.Settings) -> None:
    for number in range(sandbox_settings.SANDBOXES):
        other = dataclasses.replace(settings, number=number)
        caches = map(_cache_of, cgroups.processes(other.cloud_cgroup))
        if number != settings.number and str(settings.cache_dir) in caches:
            raise exceptions.SandboxError(
                f"Nothing was removed: the sandbox with the number {number} "
                f"also uses {settings.cache_dir}. Remove that sandbox first: "
                f"run `rally-magnum-sandbox down` with "
                f"{sandbox_settings.NUMBER_VARIABLE}={number} in the "
                "environment."
            )


def _cache_of(pid: int) -> str | None:
    with contextlib.suppress(psutil.Error):
        environment = psutil.Process(pid).environ()
        return environment.get(sandbox_settings.CACHE_VARIABLE)
    return None


@contextlib.contextmanager
def nobody_builds(cache_dir: pathlib.Path) -> Iterator[None]:
    """Lock the cache against builds.

    :raises SandboxError: if another process builds in it
    """
    with contextlib.ExitStack() as stack:
        for path in sorted(cache_dir.glob("*.lock")):
            if not file_locks.take(stack.enter_context(path.open("a"))):
                raise exceptions.SandboxError(
                    f"Nothing was removed: another process builds in "
                    f"{cache_dir} (it holds {path.name}). Wait until that "
                    "process ends, or stop it."
                )
        yield


def remove_cache(cache_dir: pathlib.Path) -> None:
    """Remove the cache.

    :raises SandboxError: if entries could not be removed, with their names
    """
    if not folders.remove(cache_dir):
        left = ", ".join(sorted(path.name for path in cache_dir.iterdir()))
        raise exceptions.SandboxError(
            f"Could not remove {left} from the cache {cache_dir}. Find out "
            "which process uses it, and run `rally-magnum-sandbox purge` "
            "again."
        )


def what_stays() -> list[str]:
    """List what the sandbox installed or filled, but does not remove."""
    kept = []
    with contextlib.suppress(exceptions.MissingRequirement):
        missing = artifacts.missing_packages()
        there = [x for x in artifacts.SYSTEM_PACKAGES if x not in missing]
        if there:
            kept.append(
                "kept these Debian packages, which other programs may use: "
                f"{', '.join(there)}; remove those that you don't need with "
                "apt-get"
            )
    caches = artifacts.go_caches()
    if caches:
        kept.append(
            "kept the caches of this machine's Go: "
            f"{', '.join(map(str, caches))}; empty them with "
            "`go clean -cache -modcache`"
        )
    return kept
