from rally_magnum_scale.in_bay import meter
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step


class Clocks:
    """A wall clock and a CPU clock that stand until they are moved."""

    def __init__(self):
        self.wall_ns = 0
        self.cpu_ns = 0

    def pass_s(self, wall_s, cpu_s):
        self.wall_ns += int(wall_s * meter.NS_PER_S)
        self.cpu_ns += int(cpu_s * meter.NS_PER_S)


def make():
    clocks = Clocks()
    made = meter.Meter(
        Plan((Step(10, 2),)),
        1000,
        cpu_ns=lambda: clocks.cpu_ns,
        clock_ns=lambda: clocks.wall_ns,
    )
    return clocks, made


def test_windows_share_out_the_cpu_time_of_the_process():
    clocks, made = make()
    clocks.pass_s(5, 3)
    made.clear()
    found = []
    for wall_s, cpu_s in ((1, 0.25), (1.5, 0.5), (0.01, 0.0075)):
        clocks.pass_s(wall_s, cpu_s)
        found.append(made.roll(closed=True))
    # What was used before the first second is in no window.
    assert [one.cpu_s for one in found] == [0.25, 0.5, 0.0075]
    assert [one.second for one in found] == [1000, 1001, 1002]


def test_a_window_too_short_for_a_ratio_has_its_cpu_time():
    clocks, made = make()
    clocks.pass_s(0.001, 0.001)
    one = made.roll(closed=True)
    assert (one.cpu_ratio_max, one.cpu_s) == (0.0, 0.001)
    assert one.busy_ratio_max == 0.0


def test_idle_time_is_not_busy_time():
    clocks, made = make()
    clocks.pass_s(1, 0.9)
    one = made.roll(closed=False, idle_ns=int(0.75 * meter.NS_PER_S))
    assert (one.cpu_ratio_max, one.busy_ratio_max) == (0.9, 0.25)


def test_without_idle_time_the_cpu_time_is_the_busy_time():
    clocks, made = make()
    clocks.pass_s(1, 0.9)
    assert made.roll(closed=True).busy_ratio_max == 0.9
