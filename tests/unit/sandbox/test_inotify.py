"""The kernel's limit of inotify instances."""

import pytest

from rally_magnum_scale.sandbox import inotify


@pytest.fixture
def limit(tmp_path):
    path = tmp_path / "max_user_instances"
    path.write_text("128\n")
    return path


def raise_limit(tmp_path, limit):
    said = []
    inotify.raise_limit(tmp_path, said.append, limit)
    return said


def test_it_is_raised_and_put_back(tmp_path, limit):
    assert raise_limit(tmp_path, limit) == []
    assert int(limit.read_text()) == 1024
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == 128
    limit.write_text("1024")
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == 1024


def test_a_second_up_does_not_forget_what_it_was(tmp_path, limit):
    raise_limit(tmp_path, limit)
    raise_limit(tmp_path, limit)
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == 128


@pytest.mark.parametrize("later", [512, 8192])
def test_what_somebody_set_since_stays(tmp_path, limit, later):
    raise_limit(tmp_path, limit)
    limit.write_text(str(later))
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == later


def test_a_high_limit_is_never_touched(tmp_path, limit):
    limit.write_text("65536")
    raise_limit(tmp_path, limit)
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == 65536


def test_where_it_can_not_be_raised_it_says_what_fits(tmp_path, limit):
    class ReadOnly(type(limit)):
        def write_text(self, *arguments, **options):
            raise OSError(30, "Read-only file system")

    (said,) = raise_limit(tmp_path, ReadOnly(limit))
    assert "is 128 and can't be raised (Read-only file system)" in said
    assert "about 12 real nodes" in said
    inotify.restore(tmp_path, limit)
    assert int(limit.read_text()) == 128


def test_a_kernel_without_the_limit_is_no_matter(tmp_path):
    assert raise_limit(tmp_path, tmp_path / "none") == []
