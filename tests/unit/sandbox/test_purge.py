"""What a purge refuses, removes and keeps."""

import fcntl
import os
import subprocess

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import purge
from rally_magnum_sandbox import settings
from rally_magnum_sandbox.bay import cgroups


@pytest.fixture
def cache(tmp_path):
    sandbox = settings.Settings(tmp_path / "state", tmp_path / "cache")
    folders.claim_cache(sandbox)
    (sandbox.cache_dir / "servers-0123456789ab" / "bin").mkdir(parents=True)
    (sandbox.cache_dir / "image.lock").touch()
    return sandbox.cache_dir


def test_the_whole_cache_is_removed(cache):
    with purge.nobody_builds(cache):
        purge.remove_cache(cache)
    assert not cache.exists()
    with purge.nobody_builds(cache):
        purge.remove_cache(cache)


def test_a_cache_with_a_running_build_is_not_removed(cache):
    with (cache / "image.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(exceptions.SandboxError, match="Nothing was remov"),
            purge.nobody_builds(cache),
        ):
            pytest.fail("it would have been removed")
    with purge.nobody_builds(cache):
        pass


def test_the_inotify_limit_is_reset_under_the_build_locks(cache, tmp_path):
    limit = tmp_path / "max_user_instances"
    limit.write_text("128")
    sandbox = settings.Settings(tmp_path / "state", cache)
    inotify.raise_limit(sandbox, print, limit)
    with purge.nobody_builds(cache):
        # This would wait forever if it took a build lock.
        inotify.restore(sandbox, limit)
    assert limit.read_text() == "128"


@pytest.mark.parametrize("ours", [True, False])
def test_a_cache_that_another_sandbox_uses_is_not_removed(
    cache, tmp_path, monkeypatch, ours
):
    used = cache if ours else tmp_path / "another"
    variables = {settings.CACHE_VARIABLE: str(used)}
    with subprocess.Popen(
        ["cat"],
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as server:
        # Only once it runs does the kernel show its environment.
        server.stdin.write(b"\n")
        server.stdout.read(1)
        monkeypatch.setattr(
            cgroups,
            "processes",
            lambda group: [server.pid] if "sandbox-2/" in group else [],
        )
        sandbox = settings.Settings(tmp_path / "state", cache)
        lines = []
        try:
            if ours:
                with pytest.raises(
                    exceptions.SandboxError,
                    match=r"the sandbox with the number 2 also uses \S+/cache",
                ):
                    purge.purge(sandbox, lines.append)
            else:
                purge._check_cache_not_shared(sandbox)
        finally:
            server.kill()
    assert cache.exists()


def test_packages_that_are_kept_are_listed():
    kept = "\n".join(purge.what_stays())
    assert "kept these Debian packages" in kept
    assert "util-linux" in kept
