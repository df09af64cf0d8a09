"""Ownership, removal and disk usage of the sandbox's folders."""

import dataclasses

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import settings


@pytest.fixture
def sandbox(tmp_path):
    return settings.Settings(tmp_path / "state", tmp_path / "cache")


def test_claimed_folders_pass_the_check(sandbox):
    folders.claim(sandbox)
    (sandbox.cache_dir / "anything").touch()
    (sandbox.state_dir / "anything").touch()
    folders.check(sandbox)
    folders.claim(sandbox)


def test_a_foreign_folder_is_refused_and_not_changed(sandbox):
    sandbox.cache_dir.mkdir()
    (sandbox.cache_dir / "thesis.txt").write_text("years")
    with pytest.raises(exceptions.InvalidInput) as caught:
        folders.claim(sandbox)
    assert str(sandbox.cache_dir) in str(caught.value)
    assert settings.CACHE_VARIABLE in str(caught.value)
    assert not sandbox.state_dir.exists()
    (left,) = sandbox.cache_dir.iterdir()
    assert left.name == "thesis.txt"


def test_an_empty_folder_may_be_used(sandbox):
    sandbox.state_dir.mkdir()
    sandbox.cache_dir.mkdir()
    folders.claim(sandbox)
    assert (sandbox.state_dir / folders.MARK).exists()


def test_a_file_is_refused(sandbox):
    sandbox.state_dir.touch()
    with pytest.raises(exceptions.InvalidInput, match="is not a folder"):
        folders.check(sandbox)


@pytest.mark.parametrize(
    ("kind", "names", "ours"),
    [
        ("cache", ["servers-15de4627ac53"], True),
        ("cache", ["kubernetes-6cd33b4681b189d0", "image.lock"], True),
        ("cache", ["image.lock"], False),
        ("cache", ["servers-backup"], False),
        ("state", ["bays", "logs", "run", "secrets.json", "openrc"], True),
        ("state", ["secrets.json", "logs"], False),
    ],
)
def test_folders_of_version_0_1_0_are_recognised_without_a_mark(
    tmp_path, kind, names, ours
):
    for name in names:
        (tmp_path / name).mkdir()
    if ours:
        folders.check_ours(tmp_path, kind, "VARIABLE")
    else:
        with pytest.raises(exceptions.InvalidInput, match="VARIABLE"):
            folders.check_ours(tmp_path, kind, "VARIABLE")


def test_the_state_of_another_layout_is_refused(sandbox):
    folders.claim(sandbox)
    mark = sandbox.state_dir / folders.MARK
    mark.write_text('{"layout": 0}')
    with pytest.raises(exceptions.SandboxError, match="sandbox down` first"):
        folders.check(sandbox)
    assert mark.read_text() == '{"layout": 0}'


def test_the_state_of_version_0_1_0_is_refused(sandbox):
    for name in folders.UNMARKED_STATE:
        (sandbox.state_dir / name).mkdir(parents=True)
    with pytest.raises(exceptions.SandboxError, match="the layout 1"):
        folders.check(sandbox)


def test_a_sandbox_keeps_its_version_of_magnum(sandbox):
    assert folders.magnum_version(sandbox) == "23"
    older = dataclasses.replace(sandbox, magnum="22")
    folders.claim(older)
    for same in (sandbox, older):
        folders.check(same)
        assert folders.magnum_version(same) == "22"


def test_another_version_of_magnum_is_refused(sandbox):
    folders.claim(dataclasses.replace(sandbox, magnum="22"))
    newer = dataclasses.replace(sandbox, magnum="23")
    with pytest.raises(exceptions.InvalidInput) as caught:
        folders.claim(newer)
    assert "--magnum" in str(caught.value)
    assert "down` first" in str(caught.value)
    assert folders.magnum_version(newer) == "22"


def test_the_mark_is_removed_last(sandbox):
    folders.claim(sandbox)
    inner = sandbox.cache_dir / "go" / "bin"
    inner.mkdir(parents=True)
    (inner / "go").touch()
    (sandbox.cache_dir / "elsewhere").symlink_to(sandbox.state_dir)
    assert folders.remove(sandbox.cache_dir)
    assert not sandbox.cache_dir.exists()
    assert sandbox.state_dir.exists()
    assert folders.remove(sandbox.cache_dir)


def test_disk_usage_counts_blocks_and_each_hard_link_once(tmp_path):
    assert folders.used_bytes(tmp_path / "none") == 0
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    one = folders.used_bytes(tmp_path)
    assert one >= 100_000
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert folders.used_bytes(tmp_path) == one
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    assert folders.used_bytes(tmp_path) < 10**8


@pytest.mark.parametrize(
    ("state", "cache"), [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("a", "a/.")]
)
def test_nested_folders_are_refused(state, cache):
    environ = {
        settings.STATE_VARIABLE: f"/srv/{state}",
        settings.CACHE_VARIABLE: f"/srv/{cache}",
    }
    with pytest.raises(exceptions.InvalidInput, match="neither may contain"):
        settings.from_environment(environ)
