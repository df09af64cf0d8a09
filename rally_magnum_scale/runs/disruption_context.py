"""The state that all disruptions of one load share."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import pods as pod_list
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import load_spec

T = TypeVar("T")

# A poll reads local state only, so a short interval costs nothing.
POLL_INTERVAL_S = 0.1


class Stopped(Exception):
    """The load has ended, so its disruptions must stop."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A target pod in its current state.

    :param serves: whether the pod is Ready and not being deleted
    :param item: the API's object
    """

    node: str
    version: str
    serves: bool
    item: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class NodeState:
    """A node of the bay in its current state."""

    name: str
    ready: bool


class DisruptionContext:
    """The bay as the disruptions of one load see it, and their events.

    :param cluster: the open Kubernetes API of the bay
    :param spec: the load
    :param log: callback for progress lines
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.spec = spec
        self.clock = clock
        self.log = log
        self.stopped = threading.Event()
        # Names of the nodes that were lost so far.
        self.lost: set[str] = set()
        # Monotonic seconds, kind and detail of each event.
        self.happened: list[tuple[float, str, str]] = []
        self.targets = following.Seen(
            "targets",
            cluster.core.list_namespaced_pod,
            spec.names.namespace,
            read=_target,
            clock=clock,
            label_selector=spec.selector("target"),
        )
        self.nodes = following.Seen(
            "nodes", cluster.core.list_node, read=_node, clock=clock
        )

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Follow targets and nodes; enter once the existing ones are known.

        :raises DeadlineExceeded: when the API does not list them in time
        :raises KubernetesError: when it refuses
        """
        with self.targets.following(), self.nodes.following():
            self.targets.wait_listed()
            self.nodes.wait_listed()
            yield

    def note(self, at: float, kind: str, detail: str) -> None:
        """Record and report an event.

        :param at: monotonic seconds
        """
        self.happened.append((at, kind, detail))
        self.log(f"{kind}: {detail}")

    def refuse_stopped(self) -> None:
        """Raise if the load has ended.

        :raises Stopped: when the load has ended
        """
        if self.stopped.is_set():
            raise Stopped

    def wait(
        self,
        poll: Callable[[], T | None],
        what: str,
        deadline_s: float,
        progress: Callable[[], str] = lambda: "",
    ) -> T:
        """Poll as :func:`waiting.wait_for` does, while the load runs.

        :raises Stopped: when the load ends early
        :raises DeadlineExceeded: when the deadline is exceeded
        :raises KubernetesError: when the bay can't be followed any more
        """

        def poll_checked() -> T | None:
            self.refuse_stopped()
            self.targets.refuse_error()
            self.nodes.refuse_error()
            return poll()

        return waiting.wait_for(
            poll_checked,
            what=what,
            deadline_s=deadline_s,
            interval_s=POLL_INTERVAL_S,
            progress=progress,
            log=self.log,
            clock=self.clock,
            sleep=interruption.sleep,
        )

    def refuse_hopeless(self, found: Sequence[Target]) -> None:
        """Raise when a target can't start.

        :raises WorkloadError: with the reason
        """
        for target in found:
            if not target.serves:
                pod_list.refuse_hopeless(target.item, "nginx targets")


def _target(item: Mapping[str, Any]) -> Target:
    metadata = item["metadata"]
    return Target(
        node=item["spec"].get("nodeName", ""),
        version=metadata.get("labels", {}).get(events.LABEL_VERSION, ""),
        serves=pod_list.is_ready(item)
        and not metadata.get("deletionTimestamp"),
        item=item,
    )


def _node(item: Mapping[str, Any]) -> NodeState:
    return NodeState(item["metadata"]["name"], node_list.is_ready(item))
