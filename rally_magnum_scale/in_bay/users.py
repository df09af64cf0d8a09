"""The users of a worker, and which of them can be stopped immediately."""

from __future__ import annotations

from typing import Any

import gevent.hub

from rally_magnum_scale.in_bay.in_flight import InFlight

# Locust's states of a user in a task, and between two tasks.
RUNNING = "running"
WAITING = "waiting"


class Users:
    """The users of one worker.

    :param runner: Locust's runner
    :param in_flight: outstanding requests of the users
    """

    def __init__(self, runner: Any, in_flight: InFlight) -> None:
        self._runner = runner
        self._in_flight = in_flight
        self._ordered: int = runner.target_user_count
        # The greenlets of stopped users.
        self._killed: set[Any] = set()

    @property
    def all_running(self) -> bool:
        """Whether all users that were ordered at the start are running."""
        return bool(self._runner.user_count >= self._ordered)

    def stop_idle(self, end_ns: int) -> int:
        """Stop the users that certainly wait for no request of the plan.

        :param end_ns: when the plan ended
        :returns: number of users that may wait for an unknown request, whose
            tasks must end by themselves
        """
        waiting = {id(one.user) for one in self._in_flight.outstanding(end_ns)}
        later = {id(one.user) for one in self._in_flight.begun_since(end_ns)}
        unclear = 0
        for greenlet in [*self._runner.user_greenlets]:
            # A dead greenlet forgets its arguments.
            if greenlet in self._killed or not greenlet.args:
                continue
            user = greenlet.args[0]
            if id(user) in waiting:
                continue
            if self._is_idle(user, greenlet, later):
                self._killed.add(greenlet)
                self._runner.user_greenlets.killone(greenlet, block=False)
            else:
                unclear += 1
                if user._state == RUNNING:
                    # The user stops when its task is over.
                    user.stop()
        return unclear

    def _is_idle(self, user: Any, greenlet: Any, later: set[int]) -> bool:
        """Return whether a user certainly waits for no request of the plan.

        :param later: ids of users that have sent requests after the plan
        """
        if user._state in (None, WAITING):
            return True
        # A user with a client of its own may wait for it in any way.
        return self._in_flight.sees_all_of(user) and (
            id(user) in later or is_asleep(greenlet)
        )


def is_asleep(greenlet: Any) -> bool:
    """Return whether a greenlet only sleeps."""
    frame = greenlet.gr_frame
    return frame is not None and frame.f_code is gevent.hub.sleep.__code__
