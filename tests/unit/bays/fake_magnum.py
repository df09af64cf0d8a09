"""A loopback server that speaks Magnum's JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import noauth
from keystoneauth1 import session

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import openstack_session
from tests.unit import loopback

# A request that is not answered before the test is over.
HANG = object()


@dataclasses.dataclass(frozen=True)
class Slow:
    """A response that arrives after some seconds of the fake's clock."""

    seconds: float
    status: Any


class FakeMagnum:
    """Clusters go through the scripted statuses, one per request.

    :param statuses: responses to requests for the cluster, in turn: a
        status, an HTTP error code, or a dict of fields; :class:`Slow` delays
        a response, and :data:`HANG` sends none; the last one is repeated
    """

    def __init__(self, *statuses: Any) -> None:
        self.statuses = list(statuses)
        self.templates = [template("t-1", "k8s")]
        self.requests: list[tuple[str, str, Any]] = []
        self.refuse: tuple[int, str] | None = None
        # Whether each of the next requests to create, resize or delete
        # takes effect; all are answered with 502.
        self.spoilt: list[bool] = []
        self.listed: list[dict[str, str]] = []
        self.newest = "1.11"
        # Name of a node group to its nodes.
        self.nodegroups: dict[str, int] = {}
        # Name of a node group to its state: a status, and a reason that only
        # a request for this one group shows; or an HTTP error code.
        self.group_states: dict[str, tuple[str | None, str | None] | int] = {}
        # Monotonic seconds of those who use it.
        self.now = 0.0
        self.over = threading.Event()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, path, body))
        if method != "GET" and self.spoilt:
            if self.spoilt.pop(0):
                self._take_effect(body)
            return 502, None
        if path.startswith("/clustertemplates"):
            return 200, {"clustertemplates": self.templates}
        if method == "POST" and path == "/clusters":
            if self.refuse:
                code, title = self.refuse
                return code, {"errors": [{"status": code, "title": title}]}
            return 202, {"uuid": "c-1"}
        if path.endswith("/actions/resize") or method == "PATCH":
            return self._resize()
        if method == "DELETE":
            return 204, None
        if path.split("?")[0].rstrip("/") == "/clusters":
            return 200, {"clusters": self.listed}
        if path.endswith("/nodegroups/"):
            return self._list_nodegroups()
        if "/nodegroups/" in path:
            return self._nodegroup(path.rpartition("/")[2])
        return self._show()

    def _take_effect(self, body: Any) -> None:
        if isinstance(body, dict) and "name" in body:
            shown = {"uuid": "c-1", "name": body["name"]}
            self.listed = [{**shown, "status": "CREATE_IN_PROGRESS"}]

    def _list_nodegroups(self) -> tuple[int, Any]:
        shown = []
        for name, state in self.group_states.items():
            if isinstance(state, int):
                return state, None
            group = {"uuid": f"g-{name}", "name": name, "status": state[0]}
            shown.append(group)
        return 200, {"nodegroups": shown}

    def _nodegroup(self, name: str) -> tuple[int, Any]:
        state = self.group_states.get(name.removeprefix("g-"))
        if isinstance(state, tuple):
            shown = {"name": name.removeprefix("g-"), "status": state[0]}
            return 200, {**shown, "status_reason": state[1]}
        if name not in self.nodegroups:
            error = {"status": 404, "title": "no", "detail": f"no {name}"}
            return 404, {"errors": [error]}
        return 200, {"name": name, "node_count": self.nodegroups[name]}

    def headers(self) -> dict[str, str]:
        text = f"container-infra {self.newest}"
        return {"OpenStack-API-Maximum-Version": text} if self.newest else {}

    def _resize(self) -> tuple[int, Any]:
        if self.refuse:
            code, title = self.refuse
            return code, {"errors": [{"status": code, "title": title}]}
        return 202, {"uuid": "c-1"}

    def _show(self) -> tuple[int, Any]:
        many = len(self.statuses) > 1
        now = self.statuses.pop(0) if many else self.statuses[0]
        if now is HANG:
            self.over.wait(60)
            return 503, None
        if isinstance(now, Slow):
            self.now += now.seconds
            now = now.status
        if isinstance(now, int):
            error = {"status": now, "title": "no", "detail": f"error {now}"}
            return now, {"errors": [error]}
        fields = {"status": now} if isinstance(now, str) else now
        known = {
            "uuid": "c-1",
            "name": "bay",
            "status_reason": None,
            "api_address": "https://127.0.0.1:1",
            "cluster_template_id": "t-1",
            "updated_at": None,
            "node_count": 2,
        }
        return 200, {**known, **fields}


def template(uuid: str, name: str, coe: str = "kubernetes") -> dict[str, str]:
    return {"uuid": uuid, "name": name, "coe": coe}


@contextlib.contextmanager
def bays(
    magnum: FakeMagnum, timeout_s: float | None = None, **options: Any
) -> Iterator[lifecycle.Bays]:
    """Open the bays of a fake Magnum.

    Time passes only by sleeping, and in answers that are :class:`Slow`.

    :param timeout_s: of the session
    """

    def sleep(seconds: float) -> None:
        magnum.now += seconds

    with (
        loopback.serve(magnum.answer, magnum.headers) as url,
        contextlib.ExitStack() as ending,
    ):
        ending.callback(magnum.over.set)
        auth = noauth.NoAuth(endpoint=url)
        opened = session.Session(auth=auth, timeout=timeout_s)
        openstack_session.mount(opened, clock=lambda: magnum.now, sleep=sleep)
        with opened.session:
            yield lifecycle.Bays(
                lifecycle.connect(opened, None, "public"),
                clock=lambda: magnum.now,
                sleep=sleep,
                **options,
            )
