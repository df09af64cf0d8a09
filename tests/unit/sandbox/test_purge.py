"""What a purge refuses, removes, and leaves with a word about it."""

import fcntl

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.sandbox import folders
from rally_magnum_scale.sandbox import purge
from rally_magnum_scale.sandbox import settings


@pytest.fixture
def cache(tmp_path):
    sandbox = settings.Settings(tmp_path / "state", tmp_path / "cache")
    folders.claim_cache(sandbox)
    (sandbox.cache_dir / "servers-0123456789ab" / "bin").mkdir(parents=True)
    (sandbox.cache_dir / "image.lock").touch()
    return sandbox.cache_dir


def test_the_cache_goes_whole(cache):
    with purge.nobody_builds(cache):
        purge.remove_cache(cache)
    assert not cache.exists()
    with purge.nobody_builds(cache):
        purge.remove_cache(cache)


def test_a_cache_in_which_somebody_builds_stays(cache):
    with (cache / "image.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(exceptions.SandboxError, match="Nothing was remov"),
            purge.nobody_builds(cache),
        ):
            pytest.fail("it would have been removed")
    with purge.nobody_builds(cache):
        pass


def test_what_stays_is_told():
    said = "\n".join(purge.what_stays())
    assert "Debian packages stay" in said
    assert "util-linux" in said
