import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.runs import removal


def failing(message):
    def fail():
        raise exceptions.BayDeleteFailed(message)

    return fail


def test_the_step_comes_after_the_work():
    done = []
    with removal.after(lambda: done.append("step"), done.append):
        done.append("work")
    assert done == ["work", "step"]


def test_an_error_of_the_step_alone_is_raised():
    log = []
    with (
        pytest.raises(exceptions.BayDeleteFailed, match="in use"),
        removal.after(failing("in use"), log.append),
    ):
        pass
    assert log == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_work_is_never_hidden(error):
    log = []
    with (
        pytest.raises(error, match="the first"),
        removal.after(failing("in use"), log.append),
    ):
        raise error("the first")
    assert log == ["Cleanup after a failure also failed: in use"]


def test_every_step_runs_even_if_an_earlier_step_failed():
    done, log = [], []
    with (
        pytest.raises(exceptions.BayDeleteFailed, match="the bay"),
        removal.after(lambda: done.append("output"), log.append),
        removal.after(failing("a later one"), log.append),
        removal.after(failing("the bay"), log.append),
    ):
        pass
    assert done == ["output"]
    assert log == ["Cleanup after a failure also failed: a later one"]
