"""List and watch objects, and resume after connection failures.

Objects stay plain dictionaries, because the library's models of a thousand
nodes cost seconds and hundreds of megabytes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Iterator
from typing import Any
from typing import TypeVar

import kubernetes.client
import urllib3

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.measurement import staleness as stale

T = TypeVar("T")

# Seconds for each attempt to get the current version.  Meanwhile the watch is
# not resumed.
_VERSION_TIMEOUT_S = 1.0


def watch(
    method: Callable[..., Any],
    *arguments: str,
    trouble: Callable[[str], None] = lambda _: None,
    staleness: stale.Staleness | None = None,
    clock: Callable[[], float] = time.monotonic,
    **selectors: str,
) -> Generator[dict[str, dict[str, Any]] | None, None, None]:
    """Yield the watched objects by name after each change.

    Yields None when no event has arrived for some seconds or the API broke
    off, so that the reader can check its deadline.  Never ends by itself.

    With ``staleness``, it requests a list of one object each time it resumes
    the watch, so once in SILENCE_S while the watch is silent.  The version of
    that list tells which changes the watch has missed.

    :param method: a list method of the library, such as
        ``cluster.core.list_node``
    :param arguments: its positional arguments, such as the namespace
    :param trouble: called with the message of each failed list request that
        is retried
    :param staleness: of the objects; updated before they are yielded
    :param clock: monotonic seconds, of ``staleness``
    :param selectors: ``label_selector``, ``field_selector``
    :raises KubernetesError: when the API refuses the list permanently
    """
    noted = staleness or stale.Staleness()

    def mark() -> None:
        if staleness is not None:
            _mark(method, arguments, staleness, clock)

    while True:
        requested_at = clock()
        try:
            objects, version = list_objects(method, *arguments, **selectors)
        except exceptions.KubernetesError as error:
            cause = error.__cause__
            if cause and client.transient(cause) is None:
                raise
            trouble(str(error))
            yield None
            interruption.sleep(client.PAUSE_S)
            continue
        noted.listed(requested_at)
        yield objects
        yield from _changes(
            objects,
            version,
            lambda since: _events(
                method, arguments, selectors, since, noted, clock
            ),
            mark,
            trouble,
        )


def _changes(
    objects: dict[str, dict[str, Any]],
    version: str,
    events_since: Callable[[str], Iterator[dict[str, Any]]],
    mark: Callable[[], None],
    trouble: Callable[[str], None],
) -> Iterator[dict[str, dict[str, Any]] | None]:
    """Yield the objects at each event, until a new list is needed.

    :param events_since: opens the watch from a version
    :param mark: called before the watch is resumed
    """
    while version:
        pause_s = client.PAUSE_S
        try:
            for event in events_since(version):
                version = _apply(objects, event)
                yield objects
        except urllib3.exceptions.ReadTimeoutError:
            # A watch without events has already waited.
            pause_s = 0.0
        except (*client.BROKEN, ValueError):
            pass
        except exceptions.KubernetesError as error:
            trouble(str(error))
        except kubernetes.client.ApiException:
            # The version is too old, or the API server is restarting.  A new
            # list finds out which.
            version = ""
        yield None
        interruption.sleep(pause_s)
        if version:
            mark()


def wait_until(
    judge: Callable[[dict[str, dict[str, Any]]], T | None],
    method: Callable[..., Any],
    *arguments: str,
    selectors: dict[str, Any] | None = None,
    progress: Callable[[], str] = lambda: "",
    on_silence: Callable[[], None] = lambda: None,
    staleness: stale.Staleness | None = None,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> T:
    """Watch objects until they fulfil a condition.

    :param judge: called with the objects by name after each change; returns
        None to keep waiting
    :param method: as in :func:`watch`, with its positional arguments
    :param selectors: as in :func:`watch`
    :param progress: returns the progress in words; the message of a failed
        list request is appended
    :param on_silence: called when no event has arrived for some seconds; an
        exception ends the wait
    :param staleness: as in :func:`watch`
    :param clock: monotonic seconds
    :param options: ``what``, ``deadline_s`` and ``log`` of
        :func:`rally_magnum_scale.waiting.wait_for`
    :returns: the first result of ``judge`` that is not None
    :raises DeadlineExceeded: when the deadline is exceeded
    :raises KubernetesError: when the API refuses the list permanently
    """
    trouble: list[str] = []
    changes = watch(
        method,
        *arguments,
        trouble=trouble.append,
        staleness=staleness,
        clock=clock,
        **(selectors or {}),
    )

    def poll() -> T | None:
        seen = next(changes)
        if seen is None:
            on_silence()
            return None
        trouble.clear()
        return judge(seen)

    with contextlib.closing(changes):
        return waiting.wait_for(
            poll,
            interval_s=0,
            clock=clock,
            progress=lambda: "; ".join(
                filter(None, [progress(), *trouble[-1:]])
            ),
            **options,
        )


def list_objects(
    method: Callable[..., Any], *arguments: str, **selectors: str
) -> tuple[dict[str, dict[str, Any]], str]:
    """List objects once.

    :param method: as in :func:`watch`, with its arguments and selectors
    :returns: the objects by name, and the version to watch from
    :raises KubernetesError: when the API refuses or breaks off
    """
    content, version = _fetch_list(
        method, *arguments, **selectors, _request_timeout=client.TIMEOUT_S
    )
    # Some servers send null for an empty list.
    items = content.get("items", ())
    return {item["metadata"]["name"]: item for item in items}, version


def _fetch_list(
    method: Callable[..., Any], *arguments: str, **options: Any
) -> tuple[dict[str, Any], str]:
    """Return a list as the API sends it, and its version.

    :raises KubernetesError: when the API refuses or breaks off
    """
    with client.translate_errors(f"list ({method.__name__})"):
        answer = method(*arguments, **options, _preload_content=False)
        content = client.parse(answer.data)
        metadata = content.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get(
            "resourceVersion"
        ):
            raise ValueError("metadata.resourceVersion is missing")
    return content, str(metadata["resourceVersion"])


def _mark(
    method: Callable[..., Any],
    arguments: tuple[str, ...],
    staleness: stale.Staleness,
    clock: Callable[[], float],
) -> None:
    """Note the current version of the resource, if the API sends it in time.

    A list without a version to start from is consistent: it is no older than
    its request (Kubernetes API Concepts, "Semantics for get and list").
    """
    requested_at = clock()
    with contextlib.suppress(exceptions.KubernetesError):
        _, version = _fetch_list(
            method, *arguments, limit=1, _request_timeout=_VERSION_TIMEOUT_S
        )
        staleness.marked(requested_at, version)


def _events(
    method: Callable[..., Any],
    arguments: tuple[str, ...],
    selectors: dict[str, str],
    version: str,
    staleness: stale.Staleness,
    clock: Callable[[], float],
) -> Iterator[dict[str, Any]]:
    answer = method(
        *arguments,
        **selectors,
        watch=True,
        allow_watch_bookmarks=True,
        resource_version=version,
        _preload_content=False,
        _request_timeout=(client.TIMEOUT_S[0], client.SILENCE_S),
    )
    staleness.opened(clock())
    try:
        for line in lines(answer):
            event = client.parse(line)
            if event["type"] not in ("BOOKMARK", "ERROR"):
                # A deletion has a version of its own.
                changed = event["object"]["metadata"]["resourceVersion"]
                staleness.received(clock(), str(changed))
            yield event
    finally:
        answer.close()


def lines(answer: Any) -> Iterator[bytes]:
    """Split a streamed response into lines; drop an incomplete last line."""
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _apply(objects: dict[str, dict[str, Any]], event: dict[str, Any]) -> str:
    """Apply an event and return the version to continue from.

    An empty version means that the version is too old and a new list is
    needed.
    """
    item = event["object"]
    if event["type"] == "ERROR":
        return ""
    if event["type"] == "DELETED":
        objects.pop(item["metadata"]["name"], None)
    elif event["type"] != "BOOKMARK":
        objects[item["metadata"]["name"]] = item
    return str(item["metadata"]["resourceVersion"])
