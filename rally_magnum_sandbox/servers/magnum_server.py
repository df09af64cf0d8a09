"""Magnum's API, its conductor and its periodic tasks in one process.

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
from collections.abc import Callable
from typing import Any
from typing import NoReturn

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import wsgi

SYNC_INTERVAL_S = 1.0
# Magnum's default is 60 s.
HEALTH_INTERVAL_S = 5.0
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
    _repeat(_sync, SYNC_INTERVAL_S)
    if _has_monitors():
        _repeat(_poll_health, HEALTH_INTERVAL_S)

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


def _has_monitors() -> bool:
    """Tell whether a driver is enabled that knows the health of its bays."""
    import magnum.conf

    disabled = magnum.conf.CONF.drivers.disabled_drivers
    return sandbox_settings.CAPI_HELM_DRIVER not in disabled


def _repeat(action: Callable[[Any], None], interval_s: float) -> None:
    """Call an action with an administrator's context again and again."""
    threading.Thread(
        target=_repeat_forever, args=(action, interval_s), daemon=True
    ).start()


def _repeat_forever(
    action: Callable[[Any], None], interval_s: float
) -> NoReturn:
    from magnum.common import context
    from oslo_log import log

    while True:
        time.sleep(interval_s)
        try:
            admin = context.make_admin_context(all_tenants=True)
            context.set_ctx(admin)
            action(admin)
        except Exception:
            log.getLogger(__name__).exception("%s failed", action.__name__)


def _sync(admin: Any) -> None:
    """Let the drivers update the status of the bays that they work on."""
    from magnum import objects
    from magnum.service import periodic

    status = objects.fields.ClusterStatus
    busy = [
        status.CREATE_IN_PROGRESS,
        status.UPDATE_IN_PROGRESS,
        status.DELETE_IN_PROGRESS,
        status.ROLLBACK_IN_PROGRESS,
    ]
    for cluster in objects.Cluster.list(admin, filters={"status": busy}):
        _run_job(
            periodic.ClusterUpdateJob(admin, cluster).update_status, cluster
        )


def _poll_health(admin: Any) -> None:
    """Let the drivers update the health of all bays."""
    from magnum import objects
    from magnum.service import periodic

    for cluster in objects.Cluster.list(admin):
        _run_job(
            periodic.ClusterHealthUpdateJob(
                admin, cluster
            ).update_health_status,
            cluster,
        )


def _run_job(job: Callable[[], None], cluster: Any) -> None:
    """Run one of Magnum's periodic jobs, which end with an exception."""
    from oslo_log import log
    from oslo_service import loopingcall

    try:
        job()
    except loopingcall.LoopingCallDone:
        pass
    except Exception:
        # A failure for one bay must not stop the jobs of the others.
        log.getLogger(__name__).exception(
            "%s failed for the bay %s", job.__name__, cluster.uuid
        )


if __name__ == "__main__":
    main()
