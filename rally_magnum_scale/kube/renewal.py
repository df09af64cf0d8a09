"""Renew credentials that expire before the run ends."""

from __future__ import annotations

import contextlib
import math
import pathlib
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import kubernetes.client
import urllib3
from cryptography import x509
from kubernetes.client import rest
from urllib3.util import ssl_

from rally_magnum_scale import exceptions

# A certificate is renewed when less than this share of its validity is left.
_LEFT_RATIO = 0.1
# Seconds until the next renewal after one that failed or changed nothing.
_RETRY_S = 10.0

# Load balancers drop idle connections, some without closing them.  A
# connection that was idle for longer is not used again.
IDLE_S = 20.0

# TLS alerts by which a server refuses the client certificate.
_ALERTS = ("CERTIFICATE_EXPIRED", "CERTIFICATE EXPIRED", "BAD_CERTIFICATE")


class RenewingApiClient(kubernetes.client.ApiClient):  # type: ignore[misc]
    """The library's client with fresh connections and credentials.

    :param configuration: configuration of the library
    :param renew: returns a configuration with new credentials; None where
        there is no source of new credentials
    :param clock: monotonic seconds
    :param wall_clock: epoch seconds
    """

    configuration: Any
    rest_client: Any

    def __init__(
        self,
        configuration: Any,
        renew: Callable[[], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(configuration)
        self.rest_client = _rest_client(configuration)
        self._renew = renew
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._used_at = self._not_before = clock()
        self._renew_at = _renew_at(configuration)

    def call_api(
        self,
        method: str,
        url: str,
        header_params: Any = None,
        *arguments: Any,
        **options: Any,
    ) -> Any:
        """Send a request; renew and retry once if credentials are refused.

        :raises KubernetesError: when the renewal fails
        """

        def send() -> Any:
            return super(RenewingApiClient, self).call_api(
                method, url, header_params, *arguments, **options
            )

        self._drop_idle()
        self._renew_early(header_params)
        used = self.configuration
        answer, refusal = _refused(send)
        if refusal and self._may_renew(used):
            self._replace(used, refusal)
            self._authorise(header_params)
            answer, refusal = _refused(send)
            if refusal:
                self._delay_next()
        self._used_at = self._clock()
        if answer is None:
            raise refusal
        return answer

    def _drop_idle(self) -> None:
        now = self._clock()
        if now - self._used_at > IDLE_S:
            self.rest_client.pool_manager.clear()
        self._used_at = now

    def _renew_early(self, header_params: Any) -> None:
        """Renew credentials that expire soon; keep them if that fails."""
        used = self.configuration
        if self._wall_clock() < self._renew_at or not self._may_renew(used):
            return
        with contextlib.suppress(exceptions.KubernetesError):
            self._replace(used, "they expire soon")
            self._authorise(header_params)
        if self._wall_clock() >= self._renew_at:
            self._delay_next()

    def _may_renew(self, used: Any) -> bool:
        """Return whether there are other credentials, or a renewal is due."""
        return self._renew is not None and (
            self.configuration is not used or self._clock() >= self._not_before
        )

    def _delay_next(self) -> None:
        self._not_before = self._clock() + _RETRY_S

    def _replace(self, used: Any, why: object) -> None:
        """Renew the credentials, unless another thread has just done so."""
        with self._lock:
            if self.configuration is not used:
                return
            assert self._renew is not None
            try:
                configuration = self._renew()
                client = _rest_client(configuration)
            except Exception as error:
                self._delay_next()
                raise exceptions.KubernetesError(
                    "The bay's Kubernetes API no longer accepts the "
                    f"credentials ({why}), and new ones could not be "
                    f"obtained: {error}"
                ) from error
            old, self.rest_client = self.rest_client, client
            self.configuration = configuration
            self._renew_at = _renew_at(configuration)
            old.close()

    def _authorise(self, header_params: Any) -> None:
        """Replace the old token in headers that are already prepared."""
        if header_params is not None:
            self.update_params_for_auth(
                header_params, [], ["BearerToken"], "", "", None
            )


class _Connection(urllib3.connection.HTTPSConnection):
    """A connection that does without ``VERIFY_X509_STRICT``.

    Python 3.13 sets this flag, which refuses the certificates that Magnum
    signs: they have no Authority Key Identifier.
    """

    def connect(self) -> None:
        context = ssl_.create_urllib3_context(
            cert_reqs=ssl_.resolve_cert_reqs(self.cert_reqs)
        )
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not (self.ca_certs or self.ca_cert_data):
            context.load_default_certs()
        self.ssl_context = context
        super().connect()


class _ConnectionPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Connection


def _rest_client(configuration: Any) -> Any:
    """Return the library's REST client with connections of our own."""
    client = rest.RESTClientObject(configuration)
    client.pool_manager.pool_classes_by_scheme = {
        "http": urllib3.HTTPConnectionPool,
        "https": _ConnectionPool,
    }
    return client


def _refused(send: Callable[[], Any]) -> tuple[Any, Any]:
    """Send a request.

    :returns: the response if there is one, and the reason if the
        credentials were refused
    """
    try:
        answer = send()
    except (
        kubernetes.client.ApiException,
        urllib3.exceptions.HTTPError,
    ) as error:
        if not any(word in str(error).upper() for word in _ALERTS):
            raise
        return None, error
    if answer.status != 401:
        return answer, None
    # Free the connection for the next request.
    answer.read()
    return answer, f"{answer.status} {answer.reason}"


def _renew_at(configuration: Any) -> float:
    """Return when a client certificate should be renewed.

    :returns: epoch seconds; infinity without a client certificate
    """
    try:
        certificate = x509.load_pem_x509_certificate(
            pathlib.Path(configuration.cert_file).read_bytes()
        )
    except (OSError, TypeError, ValueError):
        return math.inf
    begin_s = certificate.not_valid_before_utc.timestamp()
    end_s = certificate.not_valid_after_utc.timestamp()
    return end_s - (end_s - begin_s) * _LEFT_RATIO
