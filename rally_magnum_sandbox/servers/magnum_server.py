"""Magnum's API, its conductor and the status sync in one process.

Usage: ``python -m rally_magnum_sandbox.servers.magnum_server CONF PORT``.
The parts communicate over oslo.messaging's in-process transport, so there is
no RabbitMQ. ``magnum.cmd`` is not imported, because it monkey-patches the
process with eventlet.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from typing import Any

from rally_magnum_sandbox.servers import wsgi

SYNC_INTERVAL_S = 1.0
HANDLERS = (
    "indirection_api",
    "cluster_conductor",
    "conductor_listener",
    "credential_conductor",
    "ca_conductor",
    "federation_conductor",
    "nodegroup_conductor",
)


def main() -> None:
    """Create the schema if it is missing, and serve Magnum."""
    conf, port = sys.argv[1], int(sys.argv[2])
    sys.argv = ["magnum", "--config-file", conf]

    from magnum.common import service

    service.prepare_service(sys.argv)
    _make_schema()
    _cache_trustee_domain()
    _start_conductor()
    threading.Thread(target=_sync_forever, daemon=True).start()

    from magnum.api import app

    wsgi.serve(app.load_app(), "magnum", port, threads=16)


def _make_schema() -> None:
    # With this SQLAlchemy, Magnum's own upgrade command fails on an empty
    # database. So the models create their tables, and the head is stamped.
    from magnum.db import migration
    from magnum.db.sqlalchemy import models
    from oslo_db.sqlalchemy import enginefacade

    models.Base.metadata.create_all(enginefacade.writer.get_engine())
    migration.stamp("head")


def _cache_trustee_domain() -> None:
    """Cache the id of the trustees' domain.

    To get this id, which never changes, Magnum 22 logs in as the domain's
    administrator for each policy check. In the tests, Keystone spent two
    thirds of its CPU time on these logins. Magnum 23 has no trustees.
    """
    from magnum.common import keystone

    client = keystone.KeystoneClientV3
    if not hasattr(client, "trustee_domain_id"):
        return
    look_up = client.trustee_domain_id.fget
    known: list[str] = []

    def trustee_domain_id(self: Any) -> str:
        if not known:
            known.append(look_up(self))
        return known[0]

    client.trustee_domain_id = property(trustee_domain_id)


def _start_conductor() -> None:
    import magnum.conf
    import oslo_messaging
    from magnum.common import rpc
    from magnum.common import short_id
    from magnum.objects import base
    from oslo_messaging.rpc import dispatcher

    endpoints = [
        importlib.import_module(f"magnum.conductor.handlers.{name}").Handler()
        for name in HANDLERS
    ]
    oslo_messaging.get_rpc_server(
        rpc.TRANSPORT,
        oslo_messaging.Target(
            topic=magnum.conf.CONF.conductor.topic,
            server=short_id.generate_id(),
        ),
        endpoints,
        executor="threading",
        serializer=rpc.RequestContextSerializer(base.MagnumObjectSerializer()),
        access_policy=dispatcher.DefaultRPCAccessPolicy,
    ).start()


def _sync_forever() -> None:
    from magnum.common import context
    from oslo_log import log

    while True:
        time.sleep(SYNC_INTERVAL_S)
        try:
            admin = context.make_admin_context(all_tenants=True)
            context.set_ctx(admin)
            _sync_once(admin)
        except Exception:
            log.getLogger(__name__).exception("the status sync failed")


def _sync_once(admin: Any) -> None:
    from magnum import objects
    from magnum.service import periodic
    from oslo_log import log
    from oslo_service import loopingcall

    status = objects.fields.ClusterStatus
    busy = [
        status.CREATE_IN_PROGRESS,
        status.UPDATE_IN_PROGRESS,
        status.DELETE_IN_PROGRESS,
        status.ROLLBACK_IN_PROGRESS,
    ]
    for cluster in objects.Cluster.list(admin, filters={"status": busy}):
        try:
            periodic.ClusterUpdateJob(admin, cluster).update_status()
        except loopingcall.LoopingCallDone:
            pass
        except Exception:
            # A failure for one bay must not stop the sync of the others.
            log.getLogger(__name__).exception(
                "the status of %s could not be synced", cluster.uuid
            )


if __name__ == "__main__":
    main()
