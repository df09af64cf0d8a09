"""Send OpenStack requests by the policy of retries, and count what failed."""

from __future__ import annotations

import collections
import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from keystoneauth1 import session as keystone_session

from rally_magnum_scale import interruption
from rally_magnum_scale import retries

# Seconds to connect, and seconds without a byte of the response.  For other
# methods than GET, Magnum's API waits up to 60 s for its conductor.
READ_TIMEOUT_S = 30.0
WRITE_TIMEOUT_S = 90.0

# Failures of one request, after which it is worth a warning.
WARN_AFTER = 4

LOG = logging.getLogger(__name__)

_NAMES = {
    "container-infra": "Magnum",
    "compute": "Nova",
    "network": "Neutron",
    "identity": "Keystone",
}


class _TransientResponse(Exception):
    """A response that may be another one when the request is repeated."""

    def __init__(
        self, response: requests.Response, failure: retries.Transient
    ) -> None:
        super().__init__(failure.what)
        self.response = response
        self.failure = failure


class RetryingAdapter(keystone_session.TCPKeepAliveAdapter):  # type: ignore[misc]
    """Transport of a session that follows the policy of retries.

    It stands below all clients of the session, Keystone's own requests for
    tokens included.

    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._errors: collections.Counter[str] = collections.Counter()

    @property
    def errors(self) -> dict[str, int]:
        """Number of failed requests by service and failure."""
        with self._lock:
            return dict(sorted(self._errors.items()))

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request; repeat it while its failure is transient.

        :returns: the last response, whatever its status
        :raises requests.RequestException: when there is no response, or its
            body is none that a client could read
        """
        options["timeout"] = _timeout(request, options.get("timeout"))
        numbers = itertools.count(1)

        def send() -> requests.Response:
            response: requests.Response = super(RetryingAdapter, self).send(
                request, *args, **options
            )
            if failure := _failure(request, response, options):
                raise _TransientResponse(response, failure)
            return response

        try:
            return retries.call(
                send,
                _transient,
                on_transient=lambda failure: self._note(
                    request, failure, next(numbers)
                ),
                clock=self._clock,
                sleep=self._sleep,
            )
        except _TransientResponse as error:
            if error.response.ok:
                raise requests.exceptions.ContentDecodingError(
                    f"the response was {error}", response=error.response
                ) from error
            return error.response

    def _note(
        self,
        request: requests.PreparedRequest,
        failure: retries.Transient,
        number: int,
    ) -> None:
        """Count a failure, and warn of a request that fails for seconds."""
        service = service_of(request)
        with self._lock:
            self._errors[f"{service}: {failure.what}"] += 1
        if number == WARN_AFTER:
            LOG.warning(
                f"{service} failed {number} times in a row ({failure.what}): "
                f"retrying {request.method} {request.path_url}."
            )


def mount(
    session: keystone_session.Session, **options: Any
) -> RetryingAdapter:
    """Let all requests of a session follow the policy.

    :param options: of a new adapter; without any, the session keeps the one
        that it has
    :returns: the adapter of the session, the same for each call
    """
    adapter: Any = session.session.get_adapter("https://")
    if options or not isinstance(adapter, RetryingAdapter):
        adapter = RetryingAdapter(**options)
        for scheme in ("http://", "https://"):
            session.session.mount(scheme, adapter)
    mounted: RetryingAdapter = adapter
    return mounted


def mount_on_all() -> None:
    """Let all sessions that are opened from now on follow the policy."""
    init = keystone_session.Session.__init__

    @functools.wraps(init)
    def init_with_retries(
        session: keystone_session.Session, *given: Any, **named: Any
    ) -> None:
        init(session, *given, **named)
        mount(session)

    keystone_session.Session.__init__ = init_with_retries


def service_of(request: requests.PreparedRequest) -> str:
    """Return the name of the service that a request is for.

    Clients name the service type in a header, except those of Keystone and
    Neutron, whose paths tell.
    """
    named = _header(request, "OpenStack-API-Version")
    wanted = named.partition(" ")[0]
    if not wanted:
        path = str(request.path_url)
        wanted = "network" if "/v2.0/" in path else ""
        wanted = "identity" if "/v3" in path else wanted
    return _NAMES.get(wanted, wanted or "OpenStack")


def _timeout(request: requests.PreparedRequest, given: Any) -> Any:
    ours = READ_TIMEOUT_S if request.method == "GET" else WRITE_TIMEOUT_S
    if isinstance(given, int | float):
        return min(given, ours)
    return given or ours


def _failure(
    request: requests.PreparedRequest,
    response: requests.Response,
    options: dict[str, Any],
) -> retries.Transient | None:
    """Describe what is wrong with a response; None when it can be used."""
    if response.status_code in retries.TRANSIENT_STATUSES:
        return retries.Transient(
            str(response.status_code),
            retries.retry_after_s(
                response.headers.get("Retry-After"), time.time
            ),
        )
    if options.get("stream") or not 200 <= response.status_code < 300:
        return None
    # Reads the body here, where it can still be asked for again.
    body, kind = response.content, response.headers.get("Content-Type", "")
    if body and "text/html" in kind and "json" in _header(request, "Accept"):
        return retries.Transient("HTML instead of JSON")
    if body and "json" in kind:
        try:
            response.json()
        except ValueError:
            return retries.Transient("invalid JSON")
    return None


def _header(request: requests.PreparedRequest, name: str) -> str:
    return str(request.headers[name]) if name in request.headers else ""


def _transient(error: Exception) -> retries.Transient | None:
    if isinstance(error, _TransientResponse):
        return error.failure
    if isinstance(error, requests.exceptions.SSLError):
        return None
    if isinstance(error, requests.Timeout):
        return retries.Transient("no answer in time")
    if isinstance(
        error,
        requests.ConnectionError
        | requests.exceptions.ChunkedEncodingError
        | requests.exceptions.ContentDecodingError,
    ):
        return retries.Transient("connection broke off")
    return None
