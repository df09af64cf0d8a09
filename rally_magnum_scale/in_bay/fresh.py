"""An engine that opens a new connection for each request.

A request begins with its connection, so its service time and its latency
include the time to connect.  The job limits the number of connections that
are open at the same time.  Each of these slots is idle or has a request.

The side that closes a connection first keeps its port for a minute
(TIME_WAIT).  About 28,000 ports are available per address, which would
limit the rate to 470 requests per second.  So our side resets each
connection after the response (SO_LINGER of 0 s).  A reset keeps no port on
either side, and no entry in the nodes' connection tracking tables.
"""

from __future__ import annotations

import socket as socket_module
import struct
from typing import Any

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay.connections import Connections
from rally_magnum_scale.in_bay.connections import Events
from rally_magnum_scale.in_bay.engine import RECEIVE_BYTES
from rally_magnum_scale.in_bay.engine import Engine
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.request_failures import kind_of

LINGER_0_S = struct.pack("ii", 1, 0)


class FreshConnections(Connections):
    """Connections that are opened when they are needed.

    The idle entries are numbers of free slots.

    :param job: gives the targets and the number of slots
    :param clock_ns: the engine's clock
    """

    def reopen_due(self, now_ns: int) -> list[OSError]:
        """Mark the slots as idle whose backoff is over."""
        self.idle.extend((number, now_ns) for number in self._pop_due(now_ns))
        return []

    def start(self, number: int, intended_ns: int, now_ns: int) -> None:
        """Begin to open the connection of a request.

        :raises OSError: when that fails immediately
        """
        fd = self._open(number, now_ns)
        self.sent_ns[fd] = now_ns
        self.intended_ns[fd] = intended_ns

    def end(self, fd: int, now_ns: int) -> None:
        """Close a connection whose response is complete."""
        self.idle.append((self._forget(fd), now_ns))

    def _set_options(self, socket: Any) -> None:
        socket.setsockopt(
            socket_module.SOL_SOCKET, socket_module.SO_LINGER, LINGER_0_S
        )

    def _note_established(self, fd: int) -> None:
        self.slots[fd][1](self._request)


class FreshEngine(Engine):
    """One worker's share of a run, with a connection for each request."""

    CONNECTIONS = FreshConnections

    _connections: FreshConnections

    def _close_ended(self) -> None:
        """Do nothing, because idle slots have no connection."""

    def _send(self, fd: int, intended_ns: int, now_ns: int) -> None:
        try:
            self._connections.start(fd, intended_ns, now_ns)
        except OSError as error:
            self._count_failure(kind_of(error), intended_ns)
            self._note_loss(now_ns)

    def _take_closed(self, events: Events) -> None:
        connections, clock_ns = self._connections, self._clock_ns
        slots, sent_ns = connections.slots, connections.sent_ns
        intended_ns, end = connections.intended_ns, connections.end
        latency_us, service_us = self._meter.latency_us, self._meter.service_us
        want, heads = self._usual.want, self._usual.heads
        phase_ns = self._phase_ns
        for fd, _ in events:
            try:
                data = slots[fd][0](RECEIVE_BYTES)
                now_ns = clock_ns()
                if (
                    len(data) == want
                    and data.startswith(heads)
                    and intended_ns[fd] >= phase_ns
                ):
                    latency_us[(now_ns - intended_ns[fd]) // 1000] += 1
                    service_us[(now_ns - sent_ns[fd]) // 1000] += 1
                    end(fd, now_ns)
                else:
                    self._take_unusual(fd, data, now_ns)
            except OSError as error:
                self._take_error(fd, error)

    def _take_open(self, events: Events, got_ns: int) -> None:
        del got_ns
        self._take_closed(events)

    def _end_answer(
        self, fd: int, head: http_responses.Head, now_ns: int
    ) -> None:
        del head
        self._connections.end(fd, now_ns)


def engine_of(job: Job) -> type[Engine]:
    """Return the class of the engine for a job."""
    return Engine if job.traffic.keep_alive else FreshEngine
