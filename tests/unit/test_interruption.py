import os
import signal
import threading
import time

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption


@pytest.fixture
def signals():
    handlers = interruption.install()
    yield
    interruption.install()
    interruption.restore(handlers)


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_ends_a_sleep_with_an_ordinary_exception(signals, number):
    os.kill(os.getpid(), number)
    start = time.monotonic()
    with pytest.raises(exceptions.Interrupted, match=number.name):
        interruption.sleep(60)
    assert time.monotonic() - start < 30
    assert isinstance(exceptions.Interrupted("x"), Exception)


def test_a_deferred_piece_of_work_is_finished(signals):
    os.kill(os.getpid(), signal.SIGINT)
    with interruption.deferred():
        interruption.sleep(0.01)
    with pytest.raises(exceptions.Interrupted):
        interruption.check()


def test_a_forked_child_sees_the_flag_of_its_parent(signals):
    pid = os.fork()
    if not pid:
        deadline = time.monotonic() + 30
        while not interruption.requested() and time.monotonic() < deadline:
            time.sleep(0.01)
        os._exit(0 if interruption.requested() else 1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    interruption.restore(interruption.install())
    assert signal.getsignal(signal.SIGTERM) is before


def test_acknowledgement_releases_the_wait(signals):
    os.kill(os.getpid(), signal.SIGINT)
    waiting = threading.Thread(
        target=interruption.wait_acknowledged, args=(600,), daemon=True
    )
    waiting.start()
    interruption.acknowledge()
    waiting.join(30)
    assert not waiting.is_alive()
