"""The requests of Locust's own clients that have begun and not ended.

Locust's event tells of a request only when it has ended.  So which ones are
outstanding at the end of a plan is known only to whoever saw them begin:
the clients' methods are wrapped.

What a client of the user's asks begins unseen.  Its first event gives it
away, and from then on nothing is taken for known of users of that class.
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


@dataclass(eq=False)
class Call:
    """A request of one of Locust's clients.

    :param user: whose it is, None if that is not known
    :param began_ns: on the monotonic clock
    :param answered: its answer is there, and the user still judges it, in a
        ``with`` block
    :param reported: Locust's event was fired for it
    """

    user: object
    began_ns: int
    answered: bool = False
    reported: bool = False


class InFlight:
    """All calls of this process that have begun and not ended.

    :param user_class: Locust's class of users
    :param event: Locust's event of requests; what a client fires elsewhere
        is not to be counted
    :param clock_ns: monotonic nanoseconds
    """

    def __init__(
        self,
        user_class: type,
        event: object,
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        # Gets a call that has ended without an event, and what ended it.
        self.take_unreported: Callable[[Call, object], None] = _ignore
        self._user_class = user_class
        self._event = event
        self._clock_ns = clock_ns
        self._calls: set[Call] = set()
        # The call in which a greenlet is.
        self._here: dict[object, Call] = {}
        # The classes of users that have used Locust's clients, and of those
        # that have fired events of their own; any may, by ``object``.
        self._callers: set[type] = set()
        self._foreign: set[type] = set()
        self._clients: tuple[type, ...] = ()

    def wrap(self, client: Any, response: Any) -> None:
        """See what a client asks from now on.

        :param client: Locust's class of it
        :param response: the class of what it returns for a ``with`` block
        """
        self._clients += (client,)
        client.request = self._watched_request(client.request)
        response.__exit__ = self._watched_exit(response.__exit__)

    def begin(self, user: object) -> Call:
        """Note that a call begins.

        :param user: whose it is, None for the user of this greenlet
        """
        if user is None:
            user = self._user_of(gevent.getcurrent())
        self._callers.add(type(user))
        call = Call(user, self._clock_ns())
        self._calls.add(call)
        return call

    def note_event(self) -> Call | None:
        """Note that an event was fired here.

        :returns: the call that it tells of, None if it is not of Locust's
            clients
        """
        here = gevent.getcurrent()
        if call := self._here.get(here):
            call.reported = True
        else:
            user = self._user_of(here)
            self._foreign.add(object if user is None else type(user))
        return call

    def outstanding(self, end_ns: int) -> list[Call]:
        """Return the calls that began before a moment."""
        return [one for one in self._calls if one.began_ns < end_ns]

    def begun_since(self, end_ns: int) -> list[Call]:
        """Return the calls that began at a moment or later."""
        return [one for one in self._calls if one.began_ns >= end_ns]

    def sees_all_of(self, user: object) -> bool:
        """Tell whether a user asks by nothing but Locust's clients."""
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
        """Let events that are fired meanwhile tell of a call."""
        here = gevent.getcurrent()
        around = self._here.get(here)
        self._here[here] = call
        try:
            yield
        except BaseException as error:
            self._end(call, error)
            raise
        finally:
            if around is None:
                del self._here[here]
            else:
                self._here[here] = around

    def _end(self, call: Call, error: object) -> None:
        self._calls.discard(call)
        if not call.reported:
            self.take_unreported(call, error)

    def _user_of(self, greenlet: Any) -> object:
        """Return the user whose greenlet it is, None if it is no user's."""
        first = next(iter(getattr(greenlet, "args", None) or ()), None)
        return first if isinstance(first, self._user_class) else None


def _ignore(call: Call, error: object) -> None:
    """Nothing is counted before the plan."""
