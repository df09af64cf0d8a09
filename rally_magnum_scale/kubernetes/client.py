"""One open connection to the Kubernetes API of a bay."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import urllib3
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting

# Seconds to connect, and seconds without a byte.  A load balancer may cut a
# silent connection without a word: a read that is silent for so long is
# broken off by us and resumed.
TIMEOUT_S = (10.0, 30.0)
SILENCE_S = 5.0

# Seconds between two tries after the API broke off or could not answer.
PAUSE_S = 1.0

# An API server may come up a moment after Magnum's CREATE_COMPLETE.
UP_WITHIN_S = 60.0

BROKEN = (urllib3.exceptions.HTTPError, OSError)


class Cluster:
    """The Kubernetes API of one bay, opened once, outside timed regions.

    :param api: an ApiClient of the official library
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self.core = kubernetes.client.CoreV1Api(api)

    def version(self) -> str:
        """Return the version of the API server, such as ``v1.33.1``.

        An API that does not answer yet is asked again for a minute.

        :raises KubernetesError: with the last answer, when it never came up
        """
        last: exceptions.KubernetesError | None = None

        def poll() -> str | None:
            nonlocal last
            try:
                return self._read_version()
            except exceptions.KubernetesError as error:
                last = error
                return None

        try:
            return waiting.wait_for(
                poll,
                what="the bay's Kubernetes API to tell its version",
                deadline_s=UP_WITHIN_S,
                interval_s=PAUSE_S,
                progress=lambda: str(last),
            )
        except exceptions.DeadlineExceeded as error:
            raise exceptions.KubernetesError(str(error)) from last

    def _read_version(self) -> str:
        with said_clearly("read the version"):
            version = kubernetes.client.VersionApi(self.api).get_code(
                _request_timeout=(SILENCE_S, SILENCE_S)
            )
        return str(version.git_version)


@contextlib.contextmanager
def connect(
    api_address: str, ca_pem: str, certificate_pem: str, key_pem: str
) -> Iterator[Cluster]:
    """Open the API of a bay with a client certificate.

    The key is on disk, readable by this user alone, for as long as the
    context is open: the TLS library reads it from a file.
    """
    with tempfile.TemporaryDirectory(prefix="rally-magnum-scale-") as folder:
        paths = {}
        for name, pem in (
            ("ca", ca_pem),
            ("certificate", certificate_pem),
            ("key", key_pem),
        ):
            paths[name] = str(pathlib.Path(folder, f"{name}.pem"))
            pathlib.Path(paths[name]).write_text(pem)
        configuration = kubernetes.client.Configuration()
        configuration.host = api_address
        configuration.ssl_ca_cert = paths["ca"]
        configuration.cert_file = paths["certificate"]
        configuration.key_file = paths["key"]
        configuration.retries = 3
        with kubernetes.client.ApiClient(configuration) as api:
            yield Cluster(api)


@contextlib.contextmanager
def said_clearly(what: str) -> Iterator[None]:
    """Turn the library's errors into one sentence.

    :param what: what was tried, such as ``list the nodes``
    :raises KubernetesError: when the API refuses or breaks off
    """
    try:
        yield
    except kubernetes.client.ApiException as error:
        raise exceptions.KubernetesError(
            f"The bay's Kubernetes API refused to {what}: "
            f"{error.status} {error.reason} {_message(error)}".rstrip()
        ) from error
    except BROKEN as error:
        raise exceptions.KubernetesError(
            f"The bay's Kubernetes API broke off the try to {what}: {error}"
        ) from error


def _message(error: Any) -> str:
    try:
        return str(yaml.safe_load(error.body)["message"])
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return ""
