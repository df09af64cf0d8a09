"""The kernel's limit of inotify instances."""

import pytest

from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import settings as sandbox_settings


@pytest.fixture
def sandbox(tmp_path):
    return sandbox_of(tmp_path, 0)


def sandbox_of(tmp_path, number):
    (tmp_path / "cache").mkdir(exist_ok=True)
    state = tmp_path / f"state-{number}"
    state.mkdir()
    return sandbox_settings.Settings(state, tmp_path / "cache", number=number)


@pytest.fixture
def limit(tmp_path):
    path = tmp_path / "max_user_instances"
    path.write_text("128\n")
    return path


def raise_limit(sandbox, limit):
    lines = []
    inotify.raise_limit(sandbox, lines.append, limit)
    return lines


def test_the_limit_is_raised_and_reset(sandbox, limit):
    assert raise_limit(sandbox, limit) == []
    assert int(limit.read_text()) == 1024
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 128
    limit.write_text("1024")
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 1024


def test_a_second_up_keeps_the_original_limit(sandbox, limit):
    raise_limit(sandbox, limit)
    raise_limit(sandbox, limit)
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 128


@pytest.mark.parametrize("later", [512, 8192])
def test_a_limit_that_was_changed_by_hand_is_kept(sandbox, limit, later):
    raise_limit(sandbox, limit)
    limit.write_text(str(later))
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == later


def test_a_high_limit_is_never_touched(sandbox, limit):
    limit.write_text("65536")
    raise_limit(sandbox, limit)
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 65536


def test_a_read_only_limit_reports_how_many_nodes_fit(sandbox, limit):
    class ReadOnly(type(limit)):
        def write_text(self, *arguments, **options):
            raise OSError(30, "Read-only file system")

    (line,) = raise_limit(sandbox, ReadOnly(limit))
    assert "is 128 and can't be raised (Read-only file system)" in line
    assert "about 12 real nodes" in line
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 128


def test_a_kernel_without_the_limit_is_not_an_error(sandbox, tmp_path):
    assert raise_limit(sandbox, tmp_path / "none") == []


def test_the_last_sandbox_resets_the_limit(sandbox, tmp_path, limit):
    second = sandbox_of(tmp_path, 1)
    raise_limit(sandbox, limit)
    raise_limit(second, limit)
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 1024
    inotify.restore(second, limit)
    assert int(limit.read_text()) == 128


def test_a_sandbox_without_a_folder_does_not_keep_the_limit(
    sandbox, tmp_path, limit
):
    lost = sandbox_of(tmp_path, 1)
    raise_limit(lost, limit)
    raise_limit(sandbox, limit)
    lost.state_dir.rmdir()
    inotify.restore(sandbox, limit)
    assert int(limit.read_text()) == 128
