import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.runs import removal


def failing(words):
    def fail():
        raise exceptions.BayDeleteFailed(words)

    return fail


def test_the_step_comes_after_the_work():
    done = []
    with removal.after(lambda: done.append("step"), done.append):
        done.append("work")
    assert done == ["work", "step"]


def test_an_error_of_the_step_alone_is_raised():
    said = []
    with (
        pytest.raises(exceptions.BayDeleteFailed, match="in use"),
        removal.after(failing("in use"), said.append),
    ):
        pass
    assert said == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_work_is_never_hidden(error):
    said = []
    with (
        pytest.raises(error, match="the first"),
        removal.after(failing("in use"), said.append),
    ):
        raise error("the first")
    assert said == ["Cleanup after a failure also failed: in use"]


def test_every_step_runs_even_if_an_earlier_step_failed():
    done, said = [], []
    with (
        pytest.raises(exceptions.BayDeleteFailed, match="the bay"),
        removal.after(lambda: done.append("output"), said.append),
        removal.after(failing("a later one"), said.append),
        removal.after(failing("the bay"), said.append),
    ):
        pass
    assert done == ["output"]
    assert said == ["Cleanup after a failure also failed: a later one"]
