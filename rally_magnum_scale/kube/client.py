"""Client of the Kubernetes API of a bay."""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import json
import logging
import pathlib
import re
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import kubernetes.config
import urllib3
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import renewal

# Seconds to connect, and seconds without a byte.  A load balancer may drop an
# idle connection without closing it.  A streamed read without data for
# SILENCE_S is therefore closed and resumed.
TIMEOUT_S = (10.0, 30.0)
SILENCE_S = 5.0

# Seconds between two attempts after the API broke off or was unavailable.
PAUSE_S = 1.0

# An API server may become available shortly after Magnum's CREATE_COMPLETE.
# It is back after a restart within the same time.
UP_WITHIN_S = 60.0

# Size of the connection pool, since many nodes are queried in parallel.
POOL = 20

BROKEN = (urllib3.exceptions.HTTPError, OSError)

# Part of Python's error for an untrusted server, which no retry changes.
_DISTRUST = "CERTIFICATE_VERIFY_FAILED"


@dataclasses.dataclass(frozen=True)
class ClockOffset:
    """The offset of a clock from the local clock.

    :param seconds: the clock minus the local clock
    :param error_s: maximum error of ``seconds`` in either direction
    """

    seconds: float
    error_s: float


class KubeClient:
    """The Kubernetes API of one bay, opened once before any measurement.

    :param api: an ApiClient of the official library
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self.core = kubernetes.client.CoreV1Api(api)

    def version(self) -> str:
        """Return the version of the API server, such as ``v1.33.1``.

        Retries for a minute while the API is not available yet.

        :raises KubernetesError: with the last error, when the API does not
            become available
        """
        last: exceptions.KubernetesError | None = None

        def poll() -> str | None:
            nonlocal last
            try:
                version, _ = self._read_version()
            except exceptions.KubernetesError as error:
                last = error
                return None
            return version

        try:
            return waiting.wait_for(
                poll,
                what="the bay's Kubernetes API to return its version",
                deadline_s=UP_WITHIN_S,
                interval_s=PAUSE_S,
                progress=lambda: str(last),
            )
        except exceptions.DeadlineExceeded as error:
            raise exceptions.KubernetesError(str(error)) from last

    def clock_offset(
        self, wall_clock: Callable[[], float] = time.time
    ) -> ClockOffset:
        """Return the bay's clock minus the local clock.

        The API server writes the ``Date`` header between the request and the
        response.  The header is truncated to whole seconds, so half a second
        is added.

        :param wall_clock: epoch seconds
        :raises KubernetesError: when the API does not answer, or its
            response has no date
        """
        before_s = wall_clock()
        _, headers = self._read_version()
        after_s = wall_clock()
        try:
            date = email.utils.parsedate_to_datetime(headers["Date"])
        except (KeyError, TypeError, ValueError) as error:
            raise exceptions.KubernetesError(
                "The response of the bay's Kubernetes API has no valid header "
                "Date, so the bay's timestamps can't be compared with this "
                "machine's clock."
            ) from error
        shown_s: float = date.timestamp()
        return ClockOffset(
            shown_s + 0.5 - (before_s + after_s) / 2,
            0.5 + (after_s - before_s) / 2,
        )

    def stream(self, path: str, **query: Any) -> Any:
        """Send a GET request whose response is read as a stream.

        :param path: such as ``/api/v1/pods``
        :param query: query of the URL, by Kubernetes' own names
        :returns: a response of urllib3, which the caller closes
        :raises ApiException: when the API refuses
        """
        answer = self.api.call_api(
            *self.api.param_serialize(
                "GET",
                path,
                query_params=list(query.items()),
                header_params={},
                auth_settings=["BearerToken"],
            ),
            _request_timeout=(TIMEOUT_S[0], SILENCE_S),
        )
        if not 200 <= answer.status <= 299:
            answer.read()
            raise kubernetes.client.ApiException.from_response(
                http_resp=answer, body=None, data=None
            )
        return answer.response

    def _read_version(self) -> tuple[str, Any]:
        with translate_errors("read the version"):
            answer = kubernetes.client.VersionApi(self.api).get_code(
                _preload_content=False,
                _request_timeout=(SILENCE_S, SILENCE_S),
            )
            version = parse(answer.data).get("gitVersion")
            if not version:
                raise ValueError("gitVersion is missing")
        return str(version), answer.headers


@contextlib.contextmanager
def connect(
    api_address: str,
    ca_pem: str,
    certificate_pem: str,
    key_pem: str,
    renew: Callable[[], tuple[str, str]] | None = None,
) -> Iterator[KubeClient]:
    """Open the API of a bay with a client certificate.

    While the context is open, the key is in a file that only this user can
    read, because the TLS library needs a file.

    :param renew: returns a new certificate and its key as PEM; called when
        the API refuses the certificate or shortly before its expiry
    """
    with tempfile.TemporaryDirectory(prefix="rally-magnum-scale-") as folder:
        ca = pathlib.Path(folder, "ca.pem")
        ca.write_text(ca_pem)

        def configure(certificate_pem: str, key_pem: str) -> Any:
            configuration = kubernetes.client.Configuration()
            configuration.host = api_address
            configuration.ssl_ca_cert = str(ca)
            configuration.retries = 3
            _widen(configuration)
            for kind, pem in (("cert", certificate_pem), ("key", key_pem)):
                path = pathlib.Path(folder, f"{kind}.pem")
                path.touch(mode=0o600)
                path.write_text(pem)
                setattr(configuration, f"{kind}_file", str(path))
            return configuration

        api = renewal.RenewingApiClient(
            configure(certificate_pem, key_pem),
            renew and (lambda: configure(*renew())),
        )
        with api:
            yield KubeClient(api)


@contextlib.contextmanager
def connect_kubeconfig(
    path: str, context: str | None = None
) -> Iterator[KubeClient]:
    """Open the API that a kubeconfig describes.

    The file is read again when the API refuses its credentials, since its
    owner may have written new ones.

    :param path: of the file
    :param context: the name of one of its contexts; None for the current
    :raises InvalidInput: when it can't be read, has no such context, or gives
        no credentials
    :raises MissingExtra: when its proxy needs a library that is missing
    """

    def configure() -> Any:
        configuration = kubernetes.client.Configuration()
        configuration.retries = 3
        _widen(configuration)
        _load(path, context, configuration)
        return configuration

    try:
        api = renewal.RenewingApiClient(configure(), configure)
    except urllib3.exceptions.LocationValueError:
        # The library's message may have a part of the proxy's password.
        raise exceptions.InvalidInput(
            f"kubeconfig: {path!r} has an invalid proxy-url; write it as "
            "http://user:password@host:port, with %XX for special characters"
        ) from None
    except ImportError as error:
        raise exceptions.MissingExtra(
            f"kubeconfig: {path!r} names a SOCKS proxy (proxy-url), which "
            "needs the library PySocks; install it with: pip install PySocks"
        ) from error
    with api:
        yield KubeClient(api)


def address(path: str, context: str | None = None) -> str:
    """Return the address of the API that a kubeconfig describes.

    :param path: of the file
    :param context: the name of one of its contexts; None for the current
    :raises InvalidInput: when it can't be read, or has no such context
    """
    configuration = kubernetes.client.Configuration()
    _load(path, context, configuration)
    return str(configuration.host)


def _widen(configuration: Any) -> None:
    """Make the connection pool as large as the number of parallel requests."""
    configuration.connection_pool_maxsize = max(
        configuration.connection_pool_maxsize or 0, POOL
    )


class _LoggedErrors(logging.Handler):
    """Collects the errors that the library's loader logs in this thread.

    The loader logs that an exec plugin or an auth-provider has failed, and
    goes on without credentials.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._thread = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.module == "kube_config" and record.thread == self._thread:
            self.messages.append(record.getMessage())


@contextlib.contextmanager
def _errors_raised() -> Iterator[None]:
    """Raise the errors that the library's loader only logs.

    :raises ConfigException: with the words of the failed plugin
    """
    errors = _LoggedErrors()
    logger = logging.getLogger()
    logger.addHandler(errors)
    try:
        yield
    finally:
        logger.removeHandler(errors)
    if errors.messages:
        raise kubernetes.config.ConfigException("; ".join(errors.messages))


def _load(path: str, context: str | None, configuration: Any) -> None:
    file = pathlib.Path(path).expanduser()
    try:
        if not file.is_file():
            raise FileNotFoundError("there is no such file")
        with _errors_raised():
            kubernetes.config.load_kube_config(
                str(file), context, configuration, persist_config=False
            )
        provider = _auth_provider(yaml.safe_load(file.read_text()), context)
    except yaml.MarkedYAMLError as error:
        # The library's message may have a part of a token.
        where = " ".join(str(error.problem_mark).split())
        raise exceptions.InvalidInput(
            f"kubeconfig: {path!r} can't be used: it is not YAML {where}; set "
            "it to a file that kubectl can use."
        ) from None
    # A file of another form, and an auth-provider that fails, can end in any
    # error.
    except Exception as error:
        # The loader names a key by its path, which has whole users with their
        # tokens in it.
        message = re.sub(r"\{.*\}", "…", " ".join(str(error).split()))
        wanted = f" with the context {context!r}" if context else ""
        raise exceptions.InvalidInput(
            f"kubeconfig: {path!r} can't be used{wanted}: {message}; set it "
            "to a file that kubectl can use, and name one of its contexts."
        ) from None
    if provider and not (configuration.api_key or configuration.cert_file):
        # The API would take the requests as those of system:anonymous.
        raise exceptions.InvalidInput(
            f"kubeconfig: the auth-provider {provider!r} of {path!r} gives no "
            "credentials; give its user a token, a client certificate or an "
            "exec plugin instead."
        )


def _auth_provider(content: Any, context: str | None) -> str | None:
    """Return the name of the auth-provider of a kubeconfig's user, if any.

    :param content: of a file that the library's loader has accepted
    """
    wanted = context or content["current-context"]
    (chosen, *_) = [
        each["context"]
        for each in content["contexts"]
        if each["name"] == wanted
    ]
    for each in content.get("users") or ():
        if each["name"] == chosen.get("user"):
            provider = (each.get("user") or {}).get("auth-provider") or {}
            return provider.get("name")
    return None


@contextlib.contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Turn the library's errors into one sentence.

    :param what: what was tried, such as ``list the nodes``
    :raises KubernetesError: when the API refuses or breaks off, and in place
        of a ValueError, which the reader of an invalid response raises
    """
    try:
        yield
    except kubernetes.client.ApiException as error:
        raise exceptions.KubernetesError(
            f"The bay's Kubernetes API refused to {what}: {describe(error)}",
            reason=_message(error),
        ) from error
    except BROKEN as error:
        raise exceptions.KubernetesError(
            "The connection to the bay's Kubernetes API failed in the "
            f"attempt to {what}: {error}"
        ) from error
    except ValueError as error:
        raise exceptions.KubernetesError(
            "The bay's Kubernetes API sent an invalid response to the "
            f"request to {what}: {error}."
        ) from error


def parse(content: bytes) -> dict[str, Any]:
    """Parse an object that the API has sent.

    To Kubernetes, a field that is null is missing (Kubernetes API
    conventions, "Optional vs. Required"), so these fields are left out.

    :raises ValueError: when it is not a JSON object, but the HTML of a proxy,
        for example
    """
    found = None
    with contextlib.suppress(ValueError):
        found = json.loads(content, object_pairs_hook=_without_nulls)
    if isinstance(found, dict):
        return found
    start = content[:60].decode(errors="replace")
    raise ValueError(f"{start!r} is not the start of a JSON object")


def _without_nulls(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if value is not None}


def transient(error: BaseException) -> retries.Transient | None:
    """Describe an error of the library that may pass; None for any other."""
    if isinstance(error, kubernetes.client.ApiException) and error.status:
        if error.status not in retries.TRANSIENT_STATUSES:
            return None
        value = (error.headers or {}).get("Retry-After")
        return retries.Transient(
            str(error.status), retries.retry_after_s(value, time.time)
        )
    if _DISTRUST in str(error):
        return None
    if isinstance(error, (*BROKEN, kubernetes.client.ApiException)):
        return retries.Transient("connection broke off")
    return None


def persist(
    call: Callable[[], Any],
    *,
    done_when: int | None = None,
    done_when_repeated: int | None = None,
) -> Any:
    """Send a request by the policy of retries.

    :param call: sends the request once
    :param done_when: an HTTP status that means that nothing is left to do
    :param done_when_repeated: a status that means the same for a retry,
        because an attempt that broke off may have succeeded
    :returns: the result of the call, or None when nothing was left to do
    :raises ApiException: when the API refuses
    """
    done = {done_when}

    def send() -> Any:
        try:
            return call()
        except kubernetes.client.ApiException as error:
            if error.status in done - {None}:
                return None
            raise
        finally:
            done.add(done_when_repeated)

    with retries.patience(UP_WITHIN_S):
        return retries.call(send, transient)


def describe(error: Exception) -> str:
    """Return an error of the library or of the connection on one line."""
    if isinstance(error, kubernetes.client.ApiException):
        return f"{error.status} {error.reason} {_message(error)}".rstrip()
    return str(error)


def _message(error: Any) -> str:
    try:
        return str(yaml.safe_load(error.body)["message"])
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return ""
