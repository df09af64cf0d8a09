import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting


class Time:
    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_the_first_result_ends_the_wait():
    time, results = Time(), [None, None, "there"]
    found = waiting.wait_for(
        lambda: results.pop(0),
        what="it",
        deadline_s=10,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert found == "there"
    assert time.now == 2


def test_a_progress_that_ends_with_a_full_stop_does_not_get_another():
    error = exceptions.DeadlineExceeded("it", 3, "the node said: no.")
    assert str(error).endswith("last progress: the node said: no.")
    assert not str(error).endswith("..")


def test_the_error_at_the_deadline_names_the_wait_and_the_progress():
    time = Time()
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="waiting for 3 nodes after 10 s; last progress: 2 of 3",
    ):
        waiting.wait_for(
            lambda: None,
            what="3 nodes",
            deadline_s=10,
            interval_s=3,
            progress=lambda: "2 of 3",
            clock=time.clock,
            sleep=time.sleep,
        )
    assert time.now == 10


def test_an_error_of_the_poll_passes_through():
    def poll():
        raise exceptions.BayError("broken")

    with pytest.raises(exceptions.BayError, match="broken"):
        waiting.wait_for(poll, what="it", deadline_s=1)
