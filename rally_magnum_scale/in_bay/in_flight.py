"""Track the outstanding requests of Locust's own clients, and their users.

Locust fires an event only when a request has ended.  To know which requests
are outstanding at the end of a plan, this module wraps the methods of
Locust's clients.

Requests of other clients can't be seen when they begin.  The first event of
such a client shows that it exists.  From then on, users of that class may
have requests that this module does not know.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.hub

# Locust's states of a user in a task, and between two tasks.
RUNNING = "running"
WAITING = "waiting"


@dataclass(eq=False)
class Call:
    """A request of one of Locust's clients.

    :param user: the user that sent it; None if unknown
    :param began_ns: start time on the monotonic clock
    :param answered: the response has arrived, and the user still judges it
        in a ``with`` block
    :param reported: Locust's event was fired for the request
    """

    user: object
    began_ns: int
    answered: bool = False
    reported: bool = False


class InFlight:
    """All outstanding calls of this process.

    :param user_class: Locust's class of users
    :param event: Locust's event of requests; events that a client fires
        elsewhere are not counted
    :param clock_ns: clock that returns monotonic nanoseconds
    """

    def __init__(
        self,
        user_class: type,
        event: object,
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        # Receives each call that ended without an event, and its error.
        self.take_unreported: Callable[[Call, object], None] = (
            lambda _call, _error: None
        )
        self._user_class = user_class
        self._event = event
        self._clock_ns = clock_ns
        self._calls: set[Call] = set()
        # The current call of each greenlet.
        self._current: dict[object, Call] = {}
        # The classes of users that have used Locust's clients, and those
        # that have fired events of their own; ``object`` stands for any
        # class.
        self._callers: set[type] = set()
        self._foreign: set[type] = set()
        self._clients: tuple[type, ...] = ()

    def wrap(self, client: Any, response: Any) -> None:
        """Track the requests of a client from now on.

        :param client: Locust's class of the client
        :param response: class of the response that it returns for a
            ``with`` block
        """
        self._clients += (client,)
        client.request = self._watched_request(client.request)
        response.__exit__ = self._watched_exit(response.__exit__)

    def begin(self, user: object) -> Call:
        """Note that a call begins.

        :param user: the user that sends it; None for this greenlet's user
        """
        if user is None:
            user = self._user_of(gevent.getcurrent())
        self._callers.add(type(user))
        call = Call(user, self._clock_ns())
        self._calls.add(call)
        return call

    def note_event(self) -> Call | None:
        """Note that an event was fired in this greenlet.

        :returns: the call of the event; None if the event is not from one of
            Locust's clients
        """
        greenlet = gevent.getcurrent()
        if call := self._current.get(greenlet):
            call.reported = True
        else:
            user = self._user_of(greenlet)
            self._foreign.add(object if user is None else type(user))
        return call

    def outstanding(self, end_ns: int) -> list[Call]:
        """Return the outstanding calls that began before a time."""
        return [one for one in self._calls if one.began_ns < end_ns]

    def users_at(self, end_ns: int) -> tuple[set[int], set[int]]:
        """Return the users of outstanding calls, by ``id``.

        :returns: those whose call began before a time, and those whose call
            began later
        """
        before = {id(one.user) for one in self.outstanding(end_ns)}
        later = {id(one.user) for one in self._calls if one.began_ns >= end_ns}
        return before, later

    def sees_all_of(self, user: object) -> bool:
        """Return whether a user uses only Locust's clients."""
        if isinstance(user, tuple(self._foreign)):
            return False
        client = vars(user).get("client")
        return isinstance(client, self._clients) or type(user) in self._callers

    def _watched_request(
        self, request: Callable[..., Any]
    ) -> Callable[..., Any]:
        @functools.wraps(request)
        def watched(client: Any, *given: Any, **named: Any) -> Any:
            if client.request_event is not self._event:
                return request(client, *given, **named)
            call = self.begin(getattr(client, "user", None))
            with self._inside(call):
                response = request(client, *given, **named)
            if getattr(response, "_catch_response", False):
                call.answered = True
                response.rms_call = call
            else:
                self._end(call, None)
            return response

        return watched

    def _watched_exit(self, leave: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(leave)
        def watched(response: Any, exc: Any, value: Any, tb: Any) -> Any:
            call = vars(response).pop("rms_call", None)
            if call is None:
                return leave(response, exc, value, tb)
            with self._inside(call):
                handled = leave(response, exc, value, tb)
            self._end(call, value)
            return handled

        return watched

    @contextlib.contextmanager
    def _inside(self, call: Call) -> Iterator[None]:
        """Assign the events that are fired within the block to a call."""
        greenlet = gevent.getcurrent()
        around = self._current.get(greenlet)
        self._current[greenlet] = call
        try:
            yield
        except BaseException as error:
            self._end(call, error)
            raise
        finally:
            if around is None:
                del self._current[greenlet]
            else:
                self._current[greenlet] = around

    def _end(self, call: Call, error: object) -> None:
        self._calls.discard(call)
        if not call.reported:
            self.take_unreported(call, error)

    def _user_of(self, greenlet: Any) -> object:
        """Return the user of a greenlet; None if it has no user."""
        first = next(iter(getattr(greenlet, "args", None) or ()), None)
        return first if isinstance(first, self._user_class) else None


class Users:
    """The users of one worker, and which of them can be stopped immediately.

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
        waiting, later = self._in_flight.users_at(end_ns)
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
            id(user) in later or _is_asleep(greenlet)
        )


def _is_asleep(greenlet: Any) -> bool:
    frame = greenlet.gr_frame
    return frame is not None and frame.f_code is gevent.hub.sleep.__code__
