import threading

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.task.contexts import bays


def test_the_concurrency_is_not_exceeded():
    barrier = threading.Barrier(2, timeout=10)
    going, most, lock = set(), [0], threading.Lock()

    def work(number):
        with lock:
            going.add(number)
            most[0] = max(most[0], len(going))
        barrier.wait()
        with lock:
            going.discard(number)

    bays.Group(2).run(work, range(6))
    assert most == [2]


def test_no_work_starts_after_the_first_failure():
    begun = []

    def work(number):
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        bays.Group(1).run(work, range(9))
    assert begun == [0]


def test_running_work_is_aborted_and_the_cause_is_raised():
    group = bays.Group(2)
    waiting = threading.Event()
    ended = []

    def work(number):
        if number == 0:
            assert waiting.wait(10)
            raise ValueError("the cause")
        try:
            for _ in range(1000):
                waiting.set()
                group.sleep(0.01)
        except exceptions.GivenUp as error:
            ended.append(error)
            raise

    with pytest.raises(ValueError, match="the cause"):
        group.run(work, range(2))
    assert len(ended) == 1


def test_a_removal_is_not_given_up():
    group = bays.Group(1)

    def fail(_):
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        group.run(fail, [1])
    with interruption.deferred():
        group.sleep(0)
    with pytest.raises(exceptions.GivenUp):
        group.sleep(0)


def test_a_removal_goes_on_after_a_failure():
    done = []

    def work(number):
        assert interruption.is_deferred()
        if number % 2:
            raise ValueError(number)
        done.append(number)

    errors = bays.run_all(work, range(4), 2)
    assert sorted(str(error) for error in errors) == ["1", "3"]
    assert sorted(done) == [0, 2]
