"""Cluster API's provider: infrastructure, control planes and machines.

``python -m rally_magnum_sandbox.cluster_api.provider PORT`` runs it. It
answers on the port with 200 once it knows all objects.
"""

from __future__ import annotations

import argparse
import http.server
import json
import time
from typing import Any

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.cluster_api import cluster_bays
from rally_magnum_sandbox.cluster_api import control_planes
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import machines
from rally_magnum_sandbox.cluster_api import management_objects
from rally_magnum_sandbox.cluster_api import objects
from rally_magnum_sandbox.cluster_api import work_queue

THREADS = 8
COUNT = "nodes of"
COUNT_DELAY_S = 0.5
LIST_POLL_S = 0.1
Key = tuple[str, str]


class Provider:
    """Reconciles all objects that the management cluster reports.

    :param client: of the management cluster's API server
    :param bays: of the Clusters
    :param early: see :mod:`~rally_magnum_sandbox.cluster_api.control_planes`
    """

    def __init__(
        self,
        client: api.ApiClient,
        bays: cluster_bays.ClusterBays,
        *,
        early: bool,
    ) -> None:
        self._queue = work_queue.WorkQueue[Key](
            self._reconcile, _report, THREADS, client.close
        )
        self._management = management_objects.ManagementObjects(
            client, self._note
        )
        planes = control_planes.ControlPlanes(
            self._management, bays, early=early
        )
        self._machines = machines.Machines(self._management, bays)
        self._reconcilers = {
            kinds.INFRASTRUCTURE.plural: planes.reconcile_infrastructure,
            kinds.CONTROL_PLANE.plural: planes.reconcile_control_plane,
            kinds.MACHINE.plural: self._machines.reconcile,
            COUNT: self._machines.count,
        }

    def start(self) -> None:
        self._queue.start()
        self._management.start()

    def close(self) -> None:
        self._management.close()
        self._queue.close()

    def complete(self) -> bool:
        """Tell whether all objects are known."""
        return self._management.complete()

    def _note(self, kind: kinds.Kind, key: str) -> None:
        self._queue.add((kind.plural, key))
        if kind is kinds.MACHINE:
            item = self._management.get(kind, key)
            if item is not None:
                cluster = objects.cluster_key(item)
                self._queue.add((COUNT, cluster), COUNT_DELAY_S)

    def _reconcile(self, key: Key) -> float | None:
        if not self.complete():
            # An object that is not listed yet must not seem to be gone.
            return LIST_POLL_S
        kind, name = key
        return self._reconcilers[kind](name)


def _report(key: Key, error: Exception) -> None:
    print(f"{_time()} {' '.join(key)}: {error!r:.500}", flush=True)


def _time() -> str:
    return time.strftime("%H:%M:%S")


def _serve(provider: Provider, port: int) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name is given
            complete = provider.complete()
            body = json.dumps({"complete": complete}).encode()
            self.send_response(200 if complete else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    address = (sandbox_settings.HOST, port)
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()


def main(arguments: list[str] | None = None) -> None:
    """Run the provider until it is killed.

    :param arguments: the command line without the program's name
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    port = parser.parse_args(arguments).port
    settings = sandbox_settings.from_environment()
    client = management_objects.open_client(settings)
    bays = cluster_bays.ClusterBays(settings)
    provider = Provider(client, bays, early=settings.early)
    provider.start()
    print(f"{_time()} started", flush=True)
    _serve(provider, port)


if __name__ == "__main__":
    main()
