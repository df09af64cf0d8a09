"""The Locust file that runs in the bay, on the master and on each worker.

The file is mounted under its package path, so that the unit tests import the
same code.  ``RMS_ROLE`` says whether this is the master or a worker.
``RMS_OWN_FILE`` says that Locust also reads an ordinary Locust file after
this one, whose users generate the load.
"""

import os
import sys
from pathlib import Path
from typing import Any
from typing import NoReturn

# The package is mounted, not installed, and Locust adds only the folder
# of this file.
sys.path.insert(0, str(Path(__file__).parents[2]))

import gevent
import locust.main
from gevent.event import Event
from locust import User
from locust import clients
from locust import events
from locust import task
from locust.contrib import fasthttp
from locust.rpc import zmqrpc

from rally_magnum_scale.in_bay import in_flight
from rally_magnum_scale.in_bay import locust_stats
from rally_magnum_scale.in_bay import master
from rally_magnum_scale.in_bay import master_limits
from rally_magnum_scale.in_bay import own_file
from rally_magnum_scale.in_bay import refusal
from rally_magnum_scale.in_bay import worker
from rally_magnum_scale.in_bay.job import Job

ROLE = os.environ.get("RMS_ROLE", "")
IS_OWN_FILE = bool(os.environ.get("RMS_OWN_FILE"))
IN_FLIGHT = in_flight.InFlight(User, events.request)
OWN_FILE = own_file.OwnFile(IN_FLIGHT)
WORKER = worker.Worker(
    OWN_FILE.run if IS_OWN_FILE else worker.run_engine(locust_stats.add)
)


def refuse_own_file(clause: str) -> NoReturn:
    """Exit before the load begins, and report the reason."""
    reason = f"locust_file: {clause}"
    if ROLE == "master":
        master.write_refusal(Job.from_environ(os.environ), reason)
        sys.exit(0)
    sys.exit(reason)


# Locust starts users of every class that it finds here.
if IS_OWN_FILE:
    IN_FLIGHT.wrap(clients.HttpSession, clients.ResponseContextManager)
    IN_FLIGHT.wrap(fasthttp.FastHttpSession, fasthttp.ResponseContextManager)
    refusal.watch_loading(locust.main, __file__, refuse_own_file)
else:

    class LoadUser(User):
        """The one Locust user of a worker."""

        @task
        def drive(self) -> None:
            """Run this process's engine, then sleep."""
            WORKER.drive(self.environment)
            Event().wait()


if ROLE == "master":
    master_limits.widen_backlog(zmqrpc.BaseSocket, zmqrpc.zmq.BACKLOG)
    # Records bypass Python's standard output, so a user's Locust file can
    # print anything.
    sys.stdout = sys.stderr

if ROLE == "worker":
    worker.wait_for_master(
        os.environ["RMS_MASTER_HOST"],
        int(os.environ["RMS_MASTER_PORT"]),
        deadline_s=float(os.environ["RMS_CONNECT_DEADLINE_S"]),
    )


@events.init.add_listener
def install(environment: Any, **_: Any) -> None:
    """Set up this process as the master or as a worker of the run."""
    if ROLE == "master":
        master.Master(environment, Job.from_environ(os.environ)).install()
    elif ROLE == "worker":
        WORKER.install(environment)
        if IS_OWN_FILE:
            OWN_FILE.install(environment)
            gevent.spawn(WORKER.drive, environment)
