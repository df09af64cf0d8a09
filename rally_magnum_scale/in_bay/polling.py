"""How an engine waits for what its targets answer.

epoll is asked without a wait first: under load something is always there,
and a wait costs processor time as well.
"""

from __future__ import annotations

from collections.abc import Callable

from gevent import monkey

from rally_magnum_scale.in_bay.connections import Connections
from rally_magnum_scale.in_bay.meter import NS_PER_S

select = monkey.get_original("select", "select")

# At most so many at once.
EVENTS = 256

Events = list[tuple[int, int]]


class Poller:
    """Waits for answers, and counts for how long nothing came.

    :param connections: whose answers are waited for
    :param clock_ns: the engine's clock
    """

    def __init__(
        self, connections: Connections, clock_ns: Callable[[], int]
    ) -> None:
        self._connections = connections
        self._poll = connections.epoll.poll
        self._clock_ns = clock_ns
        # To wait costs processor time as well, and the less there is to do
        # the more: only this tells how much more the engine could do.
        self.idle_ns = 0

    def wait(self, until_ns: int, due_ns: int) -> tuple[Events, int]:
        """Return what has come and when, after a wait where there is none.

        What comes after the end is left to the next second.

        :param until_ns: when to return without anything
        :param due_ns: when the next request is due, for which a connection
            may be idle
        """
        poll, clock_ns = self._poll, self._clock_ns
        events, got_ns = poll(0, EVENTS), clock_ns()
        if not events:
            asked_ns = got_ns
            events = self._sleep(got_ns, until_ns, due_ns)
            got_ns = clock_ns()
            self.idle_ns += got_ns - asked_ns
        if got_ns < until_ns:
            return events, got_ns
        for fd, _ in events:
            self._connections.look_again(fd)
        return [], got_ns

    def _sleep(self, now_ns: int, until_ns: int, due_ns: int) -> Events:
        """Wait for an answer, or for the next request to be due."""
        if not self._connections.idle:
            left_s = max(0, until_ns - now_ns) / NS_PER_S
            return self._poll(left_s, EVENTS)  # type: ignore[no-any-return]
        # epoll counts in milliseconds; select, in microseconds, can wait
        # for an epoll.
        left_s = max(0, min(until_ns, due_ns) - now_ns) / NS_PER_S
        epoll = self._connections.epoll
        ready = left_s and select([epoll.fileno()], [], [], left_s)[0]
        return self._poll(0, EVENTS) if ready else []
