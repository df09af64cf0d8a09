"""The folder of nights."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import folders


def test_one_night_at_a_time(tmp_path):
    with (
        folders.alone(tmp_path),
        pytest.raises(exceptions.NightRuns, match="Another night is running"),
        folders.alone(tmp_path),
    ):
        pass
    with folders.alone(tmp_path):
        pass


def test_a_folder_that_cannot_be_created_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(exceptions.InvalidInput, match="folder: .* can't be"),
        folders.alone(tmp_path / "file" / "below"),
    ):
        pass


def test_two_nights_of_one_second_stand_apart(tmp_path):
    first = folders.end(folders.begin(tmp_path, 0.0))
    second = folders.end(folders.begin(tmp_path, 0.0))
    assert first.name == "1970-01-01T000000Z"
    assert second.name == "1970-01-01T000000Z-2"
    assert folders.nights(tmp_path) == [second, first]


def test_a_killed_night_is_marked_and_kept_as_long(tmp_path):
    (tmp_path / "rally").mkdir()
    for second in range(3):
        folders.end(folders.begin(tmp_path, second))
    folders.begin(tmp_path, 3.0)
    assert folders.set_aside_killed(tmp_path) == ["1970-01-01T000003Z"]
    assert folders.set_aside_killed(tmp_path) == []
    assert [path.name[16:] for path in folders.nights(tmp_path)] == [
        "3Z.killed",
        "2Z",
        "1Z",
        "0Z",
    ]
    gone = folders.keep(tmp_path, 2)
    assert gone == ["1970-01-01T000001Z", "1970-01-01T000000Z"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "rally",
        "1970-01-01T000002Z",
        "1970-01-01T000003Z.killed",
    }
