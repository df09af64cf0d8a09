import pytest

from benchmarks import peers
from benchmarks.measured import Measured
from benchmarks.turns import Turns
from rally_magnum_sandbox import exceptions

ASK = peers.Ask("http://127.0.0.1:1/")


def did(requests, cpu_s):
    return Measured(requests, 1.0, cpu_s, {"p50": 1.0})


@pytest.fixture
def turns(monkeypatch):
    def make(**scripts):
        """Make peers that do what they are told, one after the other."""
        monkeypatch.setattr(peers, "available", lambda all_: (all_, []))

        def peer(script):
            steps = iter(script)

            def run(_):
                step = next(steps)
                if isinstance(step, Exception):
                    raise step
                return step

            return run

        return Turns("b", {name: peer(each) for name, each in scripts.items()})

    return make


def test_middle_rounds_are_compared(turns):
    made = turns(a=[did(100, 3.0), did(200, 1.0), did(150, 3.0)])
    for _ in range(3):
        made.take(ASK)
    ours = [did(300, 3.0), did(400, 1.0), did(200, 3.0)]
    rate, cpu = made.rates_and_cpu(ours, {"load": 1})
    assert rate.ratio == 2.0  # 300 / 150
    assert rate.figures["a_rounds_rps"] == [100, 200, 150]
    assert rate.figures["load"] == 1
    assert cpu.ratio == pytest.approx((3 / 150) / (3 / 300))
    assert "a_rounds_rps" not in cpu.figures


def test_one_that_fails_is_named_and_the_others_go_on(turns):
    broken = exceptions.SandboxError("It broke; look at it.")
    made = turns(a=[did(1, 1.0), broken], b=[did(1, 1.0)] * 3)
    for _ in range(3):
        made.take(ASK)
    (left_out,) = made.left_out()
    assert (left_out.peer, left_out.left_out) == ("a", "It broke; look at it.")
    found = list(made.rates_and_cpu([did(1, 1.0)], {}))
    assert {one.peer for one in found} == {"b"}
