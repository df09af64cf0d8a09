"""Locks between processes, here between two open files of one process."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import file_locks


def test_an_exclusive_lock_is_held_by_one_file(tmp_path):
    with (tmp_path / "lock").open("a") as first:
        assert file_locks.take(first)
        with (tmp_path / "lock").open("a") as second:
            assert file_locks.take(second) is None
            assert file_locks.take(second, shared=True) is None
    with (tmp_path / "lock").open("a") as third:
        assert file_locks.take(third)


def test_a_shared_lock_is_held_by_several_files(tmp_path):
    with (
        (tmp_path / "lock").open("a") as first,
        (tmp_path / "lock").open("a") as second,
    ):
        assert file_locks.take(first, shared=True)
        assert file_locks.take(second, shared=True)
        assert file_locks.take(second) is None


def test_a_wait_for_a_lock_is_reported(tmp_path):
    path = tmp_path / "lock"
    first = path.open("a")
    file_locks.take(first)
    waits = []

    def release():
        waits.append(path)
        first.close()

    with file_locks.locked(path, on_wait=release):
        assert waits == [path]
    with file_locks.locked(path, on_wait=release):
        assert waits == [path]


def test_a_lock_that_is_held_too_long_is_given_up(tmp_path):
    path = tmp_path / "lock"
    late = file_locks.locked_within(path, 0.0, what="them", interval_s=0.01)
    with (
        file_locks.locked(path),
        pytest.raises(exceptions.DeadlineExceeded, match="waiting for them"),
        late,
    ):
        pytest.fail("the lock is held")
