"""List and watch, resumed where a connection broke off.

Objects stay plain dictionaries: the library's models of a thousand nodes
cost seconds and hundreds of megabytes.
"""

from __future__ import annotations

import contextlib
import json
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

T = TypeVar("T")


def watch(
    method: Callable[..., Any],
    *arguments: str,
    trouble: Callable[[str], None] = lambda _: None,
    **selectors: str,
) -> Generator[dict[str, dict[str, Any]] | None, None, None]:
    """Yield the watched objects by name, whenever something changed.

    Yields None whenever nothing came for some seconds or the API broke off,
    so that the reader can look at its deadline.  Never ends by itself.

    :param method: a list method of the library, such as
        ``cluster.core.list_node``
    :param arguments: its positional arguments, such as the namespace
    :param trouble: gets the sentence of a list that failed and is tried
        again
    :param selectors: ``label_selector``, ``field_selector``
    :raises KubernetesError: when the API refuses the list for good
    """
    while True:
        try:
            objects, version = list_objects(method, *arguments, **selectors)
        except exceptions.KubernetesError as error:
            if not client.may_pass(error.__cause__):
                raise
            trouble(str(error))
            yield None
            interruption.sleep(client.PAUSE_S)
            continue
        yield objects
        yield from _changes(
            objects, version, method, arguments, selectors, trouble
        )


def _changes(
    objects: dict[str, dict[str, Any]],
    version: str,
    method: Callable[..., Any],
    arguments: tuple[str, ...],
    selectors: dict[str, str],
    trouble: Callable[[str], None],
) -> Iterator[dict[str, dict[str, Any]] | None]:
    """Yield the objects at each event, until a new list is needed."""
    while version:
        pause_s = client.PAUSE_S
        try:
            for event in _events(method, arguments, selectors, version):
                version = _apply(objects, event)
                yield objects
        except urllib3.exceptions.ReadTimeoutError:
            # A silent watch: it has waited already.
            pause_s = 0.0
        except client.BROKEN:
            pass
        except exceptions.KubernetesError as error:
            trouble(str(error))
        except kubernetes.client.ApiException:
            # Too old a version, or an API server that comes up again: a new
            # list tells which.
            version = ""
        yield None
        interruption.sleep(pause_s)


def wait_until(
    judge: Callable[[dict[str, dict[str, Any]]], T | None],
    method: Callable[..., Any],
    *arguments: str,
    selectors: dict[str, str] | None = None,
    progress: Callable[[], str] = lambda: "",
    **options: Any,
) -> T:
    """Watch objects until a judge is content with them.

    :param judge: gets the objects by name whenever one changed; None means
        to wait on
    :param method: as in :func:`watch`, with its positional arguments
    :param selectors: as in :func:`watch`
    :param progress: how far it is, in words; a list that failed is added
    :param options: ``what``, ``deadline_s`` and ``report`` of
        :func:`rally_magnum_scale.waiting.wait_for`
    :returns: what the judge returned
    :raises DeadlineExceeded: when the deadline is reached
    :raises KubernetesError: when the API refuses the list for good
    """
    trouble: list[str] = []
    changes = watch(
        method, *arguments, trouble=trouble.append, **(selectors or {})
    )

    def poll() -> T | None:
        seen = next(changes)
        if seen is None:
            return None
        trouble.clear()
        return judge(seen)

    with contextlib.closing(changes):
        return waiting.wait_for(
            poll,
            interval_s=0,
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
    with client.translate_errors(f"list ({method.__name__})"):
        answer = method(
            *arguments,
            **selectors,
            _preload_content=False,
            _request_timeout=client.TIMEOUT_S,
        )
        content = json.loads(answer.data)
    objects = {item["metadata"]["name"]: item for item in content["items"]}
    return objects, content["metadata"]["resourceVersion"]


def _events(
    method: Callable[..., Any],
    arguments: tuple[str, ...],
    selectors: dict[str, str],
    version: str,
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
    try:
        for line in lines(answer):
            yield json.loads(line)
    finally:
        answer.close()


def lines(answer: Any) -> Iterator[bytes]:
    """Split a streamed answer into lines; a last part line is dropped."""
    rest = b""
    for chunk in answer.stream(amt=None, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _apply(objects: dict[str, dict[str, Any]], event: dict[str, Any]) -> str:
    """Apply an event and return the version to go on from.

    An empty version asks for a new list: the one held is too old.
    """
    item = event["object"]
    if event["type"] == "ERROR":
        return ""
    if event["type"] == "DELETED":
        objects.pop(item["metadata"]["name"], None)
    elif event["type"] != "BOOKMARK":
        objects[item["metadata"]["name"]] = item
    return str(item["metadata"]["resourceVersion"])
