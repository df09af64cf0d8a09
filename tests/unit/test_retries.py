"""The policy of retries."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries


class Clock:
    """Time that passes only in sleeps and in slow requests."""

    def __init__(self):
        self.now_s = 0.0
        self.pauses_s = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.pauses_s.append(seconds)
        self.now_s += seconds


class Service:
    """Fails until a time, then answers."""

    def __init__(self, clock, back_at_s, retry_after_s=0.0, takes_s=0.0):
        self._clock = clock
        self._back_at_s = back_at_s
        self._retry_after_s = retry_after_s
        self._takes_s = takes_s
        self.requests = 0

    def send(self):
        self.requests += 1
        self._clock.now_s += self._takes_s
        if self._clock.now_s < self._back_at_s:
            raise ValueError("busy")
        return "answer"

    def transient(self, error):
        if isinstance(error, ValueError):
            return retries.Transient(str(error), self._retry_after_s)
        return None


def call(service, clock, **options):
    return retries.call(
        service.send,
        service.transient,
        clock=clock,
        sleep=clock.sleep,
        **{"jitter": lambda: 1.0, **options},
    )


def test_an_outage_shorter_than_the_patience_is_survived():
    clock = Clock()
    service = Service(clock, back_at_s=50.0)
    counted = []
    assert call(service, clock, on_transient=counted.append) == "answer"
    assert len(counted) == service.requests - 1
    assert {each.what for each in counted} == {"busy"}


def test_a_longer_outage_ends_with_the_last_error_within_the_patience():
    clock = Clock()
    service = Service(clock, back_at_s=1e9)
    with pytest.raises(ValueError, match="busy"):
        call(service, clock)
    assert clock.now_s <= retries.PATIENCE_S
    assert clock.now_s > retries.PATIENCE_S - 2 * retries.LONGEST_PAUSE_S


def test_slow_failures_use_up_the_patience_too():
    clock = Clock()
    service = Service(clock, back_at_s=1e9, takes_s=30.0)
    with pytest.raises(ValueError, match="busy"):
        call(service, clock)
    assert service.requests == 2


def test_pauses_grow_to_a_limit():
    clock = Clock()
    with pytest.raises(ValueError, match="busy"):
        call(Service(clock, back_at_s=1e9), clock)
    assert clock.pauses_s[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert set(clock.pauses_s[5:]) == {retries.LONGEST_PAUSE_S}


@pytest.mark.parametrize(
    ("jitter", "pause_s"), [(0.0, 0.25), (0.5, 0.375), (1.0, 0.5)]
)
def test_pauses_are_jittered(jitter, pause_s):
    clock = Clock()
    call(Service(clock, back_at_s=0.1), clock, jitter=lambda: jitter)
    assert clock.pauses_s == [pause_s]


def test_retry_after_lengthens_a_pause():
    clock = Clock()
    call(Service(clock, back_at_s=1.0, retry_after_s=7.0), clock)
    assert clock.pauses_s == [7.0]


def test_a_retry_after_beyond_the_patience_ends_the_call_at_once():
    clock = Clock()
    service = Service(clock, back_at_s=1.0, retry_after_s=3600.0)
    with pytest.raises(ValueError, match="busy"):
        call(service, clock)
    assert clock.pauses_s == []


def test_a_permanent_failure_is_not_repeated():
    clock = Clock()
    service = Service(clock, back_at_s=1.0)
    service.transient = lambda error: None
    with pytest.raises(ValueError, match="busy"):
        call(service, clock)
    assert service.requests == 1


def test_no_patience_means_one_attempt_that_is_counted():
    clock = Clock()
    service, counted = Service(clock, back_at_s=1.0), []
    with retries.patience(0.0), pytest.raises(ValueError, match="busy"):
        call(service, clock, on_transient=counted.append)
    assert service.requests == len(counted) == 1


def test_the_patience_of_a_block_ends_with_it():
    clock = Clock()
    with retries.patience(0.0):
        pass
    assert call(Service(clock, back_at_s=1.0), clock) == "answer"


def test_an_interruption_ends_a_pause():
    def interrupted(_seconds):
        raise exceptions.Interrupted("stop")

    clock = Clock()
    service = Service(clock, back_at_s=1.0)
    with pytest.raises(exceptions.Interrupted):
        retries.call(
            service.send, service.transient, clock=clock, sleep=interrupted
        )


@pytest.mark.parametrize(
    ("deadline_s", "patience_s"),
    [(30.0, 60.0), (600.0, 60.0), (1620.0, 162.0)],
)
def test_patience_grows_with_the_deadline(deadline_s, patience_s):
    assert retries.patience_for(deadline_s) == patience_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 59.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retries.retry_after_s(value, now=lambda: 946684740.0) == seconds
