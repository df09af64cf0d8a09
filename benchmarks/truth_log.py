"""A target that is a process of its own, and what it logged."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from benchmarks import target
from benchmarks import truth_target

NS_PER_S = 1_000_000_000
STOP_DEADLINE_S = 20
AT_ONCE_US = (0,)


@dataclass
class Log:
    """What the target did, by its own clock.

    :param port: where it listens
    :param process: that it is
    :param received_ns: when each request came
    :param sent_ns: when it was answered
    :param epoch_ns: what to add for nanoseconds since the epoch
    """

    port: int
    process: subprocess.Popen[str]
    received_ns: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)
    epoch_ns: int = 0

    @property
    def url(self) -> str:
        """What is asked."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def delays_us(self) -> list[float]:
        """How long each answer really took in the target, in order."""
        pairs = zip(self.received_ns, self.sent_ns, strict=True)
        return sorted((sent - came) / 1000 for came, sent in pairs)

    @property
    def by_second(self) -> Counter[int]:
        """How many answers it gave in each second since the epoch."""
        return Counter(
            (one + self.epoch_ns) // NS_PER_S for one in self.sent_ns
        )

    @property
    def stall_s(self) -> float:
        """The longest time in which it answered nothing."""
        pairs = zip(self.sent_ns, self.sent_ns[1:], strict=False)
        return max(after - before for before, after in pairs) / NS_PER_S


@contextlib.contextmanager
def serving(
    delays_us: Sequence[int] = AT_ONCE_US, *, alone: bool = False
) -> Iterator[Log]:
    """Run a target; its log is there when it has ended.

    :param delays_us: of its answers, used in this order
    :param alone: it has the first core to itself, and never sleeps
    """
    with tempfile.TemporaryDirectory() as folder:
        log, delays = Path(folder, "log.json"), Path(folder, "delays.json")
        delays.write_text(json.dumps(list(delays_us)))
        command = [
            *(sys.executable, str(truth_target.__file__), str(log)),
            *(str(delays), "yes" if alone else "no"),
        ]
        with subprocess.Popen(
            target.pinned(0, command) if alone else command,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                found = Log(int(_line(process)), process)
                yield found
                process.terminate()
                process.wait(STOP_DEADLINE_S)
            finally:
                process.kill()
        data = json.loads(log.read_text())
        found.received_ns = data["received_ns"]
        found.sent_ns = data["sent_ns"]
        found.epoch_ns = data["epoch_ns"]


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout else ""


@contextlib.contextmanager
def stalled(log: Log, after_s: float, stall_s: float) -> Iterator[None]:
    """Stop the target for a while, some time after its first request."""

    def stop() -> None:
        if not _line(log.process):
            return
        time.sleep(after_s)
        os.kill(log.process.pid, signal.SIGSTOP)
        time.sleep(stall_s)
        os.kill(log.process.pid, signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        thread.join(after_s + stall_s + STOP_DEADLINE_S)
