"""Errors of Magnum's client and failures of bays."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import TypeVar

from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import failure_classes

T = TypeVar("T")

# Magnum stores a bay after it has accepted the request.
SHOWN_WITHIN_S = 10.0

# What Magnum's health check gives for an API that answers and a Ready node.
_HEALTHY = ("ok", "true")

CLIENT_ERRORS = (
    magnum_exceptions.ClientException,
    keystone_errors.ClientException,
)


@contextlib.contextmanager
def translate_errors(
    what: str, kind: type[exceptions.BayError] = exceptions.BayError
) -> Iterator[None]:
    """Turn an error of Magnum's client into one sentence.

    :param what: what was tried, such as ``list the cluster templates``
    :param kind: the error to raise
    """
    try:
        yield
    except CLIENT_ERRORS as error:
        message = message_of(error)
        raise kind(
            f"Magnum refused to {what}: {message}"
            f"{failure_classes.advice(message)}.",
            reason=message,
        ) from error


def transient(error: Exception) -> retries.Transient | None:
    """Describe an error of Magnum's client that may pass; else None."""
    status = getattr(error, "http_status", None)
    if status in retries.TRANSIENT_STATUSES:
        return retries.Transient(str(status))
    if isinstance(error, keystone_errors.ConnectionError) and not isinstance(
        error, keystone_errors.SSLError
    ):
        return retries.Transient("connection broke off")
    return None


def send_once(
    send: Callable[[], T],
    effect: Callable[[], T | None],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> T:
    """Send a request that must not take effect twice.

    If the response is lost, the request may have been accepted.  It is sent
    again only if Magnum does not show its effect within
    :data:`SHOWN_WITHIN_S`.

    :param send: sends the request once
    :param effect: returns what the request has changed, None for nothing
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    :returns: the result of either
    :raises Exception: the last error of the client
    """
    sent_at = clock()
    lost: Exception | None = None

    def attempt() -> T:
        nonlocal sent_at, lost
        if lost is not None:
            if (found := effect()) is not None:
                return found
            if clock() - sent_at < SHOWN_WITHIN_S:
                raise lost
        sent_at = clock()
        try:
            with retries.patience(0.0):
                return send()
        except CLIENT_ERRORS as error:
            lost = error
            raise

    return retries.call(attempt, transient, clock=clock, sleep=sleep)


def message_of(error: Exception) -> str:
    """Return the message of a client's error without a full stop."""
    message = re.sub(r"\.(?= \(HTTP \d+\))", "", str(error))
    return " ".join(message.split()).rstrip(".")


@contextlib.contextmanager
def ignore_not_found() -> Iterator[None]:
    """Ignore the error of a delete whose object is already gone."""
    with contextlib.suppress(magnum_exceptions.NotFound):
        yield


def get_or_none(manager: Any, uuid: str) -> Any | None:
    """Return a cluster or cluster template, or None when it is gone.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    """
    try:
        return manager.get(uuid)
    except magnum_exceptions.NotFound:
        return None


def failure_class(error: Exception) -> str:
    """Return the class of a failed create or delete for the records."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return "deadline"
    if isinstance(error, exceptions.Interrupted):
        return "interrupted"
    if isinstance(error, exceptions.WrongNodes):
        return "wrong_nodes"
    return failure_classes.classify(getattr(error, "reason", ""))


def state(cluster: Any) -> str:
    """Describe the state that Magnum shows of a cluster, in one line.

    It has the status, its reason, and what is wrong with the health of an
    unhealthy cluster.
    """
    parts = [cluster.status or "no status yet", cluster.status_reason]
    checks = getattr(cluster, "health_status_reason", None)
    if isinstance(checks, dict):
        bad = [
            f"{name}: {value}"
            for name, value in checks.items()
            if str(value).lower() not in _HEALTHY
        ]
        more = [f"{len(bad) - 3} more"] if len(bad) > 3 else []
        parts += [*bad[:3], *more]
    return " ".join(", ".join(filter(None, parts)).split())


def failure_reason(cluster: Any, node_groups: Callable[[], str] = str) -> str:
    """Return Magnum's reason for a failed cluster in one line.

    It has the ``status_reason``, and the ``faults`` by resource where the
    driver reports them.

    :param node_groups: describes the node groups that are not complete, in
        place of a missing ``status_reason``
    """
    parts = [(cluster.status_reason or "").strip() or node_groups()]
    faults = getattr(cluster, "faults", None)
    if isinstance(faults, dict):
        parts += [f"{name}: {why}" for name, why in faults.items()]
    reason = " ".join("; ".join(filter(None, parts)).split())
    return reason.rstrip(".") or "Magnum gave no reason"
