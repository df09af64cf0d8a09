import os

import psutil

from rally_magnum_scale.runs import memory
from tests.unit import fresh_python

MUCH = 400 << 20
PROGRAM = f"""
import os, sys
filled = b"x" * {MUCH}
os.execv(sys.executable, [sys.executable, "-c", '''
import resource
from rally_magnum_scale.runs import memory
print(memory.peak_bytes())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
'''])
"""


def test_the_peak_stays_when_memory_is_given_back():
    filled = b"x" * MUCH
    del filled
    now = psutil.Process().memory_info().rss
    assert memory.peak_bytes() > max(now, MUCH)
    assert memory.peak_bytes(os.getpid()) == memory.peak_bytes()


def test_the_peak_is_not_that_of_the_parent_process():
    printed = fresh_python.run(PROGRAM)
    ours, getrusage_s = map(int, printed.split())
    assert 0 < ours < MUCH < getrusage_s


def test_a_process_that_is_gone_has_no_peak():
    assert memory.peak_bytes(1 << 30) is None
