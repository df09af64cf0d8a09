"""How an engine waits for responses.

The engine first polls epoll without a timeout.  Under load there is always
an event, and a wait costs CPU time as well.
"""

from __future__ import annotations

from collections.abc import Callable

from gevent import monkey

from rally_magnum_scale.in_bay.connections import Connections
from rally_magnum_scale.in_bay.meter import NS_PER_S

select = monkey.get_original("select", "select")

# Maximum number of events per poll.
EVENTS = 256

Events = list[tuple[int, int]]


class Poller:
    """Waits for responses, and measures its idle time.

    :param connections: the connections to poll
    :param clock_ns: the engine's clock
    """

    def __init__(
        self, connections: Connections, clock_ns: Callable[[], int]
    ) -> None:
        self._connections = connections
        self._poll = connections.epoll.poll
        self._clock_ns = clock_ns
        # A wait costs CPU time as well, and more under low load.  So only
        # the idle time shows how much more the engine could do.
        self.idle_ns = 0

    def wait(self, until_ns: int, due_ns: int) -> tuple[Events, int]:
        """Wait for events; return them and their time.

        Events after the end are left to the next second.

        :param until_ns: when to return without events
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
        """Wait for a response, or until the next request is due."""
        if not self._connections.idle:
            left_s = max(0, until_ns - now_ns) / NS_PER_S
            return self._poll(left_s, EVENTS)  # type: ignore[no-any-return]
        # epoll's timeout is in milliseconds.  select's timeout is in
        # microseconds, and select can wait for an epoll.
        left_s = max(0, min(until_ns, due_ns) - now_ns) / NS_PER_S
        epoll = self._connections.epoll
        ready = left_s and select([epoll.fileno()], [], [], left_s)[0]
        return self._poll(0, EVENTS) if ready else []
