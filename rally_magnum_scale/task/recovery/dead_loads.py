"""Loads that dead runs left in a bay that stays.

No mark on this host knows of a bay that was opened by a kubeconfig, so a
load carries its own: the namespace says which process would remove it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import lost_nodes
from rally_magnum_scale.kube import objects
from rally_magnum_scale.task.recovery import run_markers
from rally_magnum_scale.workload import naming

VERSION = 1
_REMOVE_S = 300.0


def this_run(database: str) -> str:
    """Say in a text which process will remove a load.

    :param database: hash of the address of Rally's database
    """
    process = dataclasses.asdict(run_markers.this_process())
    return json.dumps(
        {"version": VERSION, "database": database, "process": process}
    )


def remove(
    cluster: client.KubeClient, database: str, report: Callable[[str], None]
) -> None:
    """Remove what dead runs left in a bay; of anything else only tell.

    Nodes that such a run took out are brought back before.  A removal that
    fails is told of, and the next start tries again.

    :param database: as in :func:`this_run`
    :raises Interrupted: when this run is asked to stop meanwhile
    """
    try:
        found = objects.namespaces(cluster, naming.MANAGED)
    except exceptions.KubernetesError as error:
        report(f"Could not look for loads of dead runs: {error}")
        return
    for name, notes in found.items():
        said = notes.get(naming.RUN_BY, "")
        fate, why = _judge(said, database)
        if fate is run_markers.Liveness.ALIVE:
            continue
        if fate is run_markers.Liveness.UNKNOWN:
            report(
                f"The namespace {name} holds the load of a run that may have "
                f"ended: {why}. It is left alone; if nobody uses it, remove "
                f"it with 'kubectl delete namespace {name}'."
            )
            continue
        report(f"The namespace {name} is of a killed run, and is removed.")
        try:
            lost_nodes.bring_back(cluster, name, report)
            objects.delete_namespace(
                cluster, name, deadline_s=_REMOVE_S, report=report
            )
        except exceptions.Interrupted:
            raise
        except exceptions.ScaleError as error:
            report(f"The namespace {name} of a killed run stays: {error}")


def _judge(said: str, database: str) -> tuple[run_markers.Liveness, str]:
    try:
        content = json.loads(said)
        if content["version"] != VERSION:
            return run_markers.Liveness.UNKNOWN, "another release wrote it"
        process = run_markers.Process(**content["process"])
        wrote_to = content["database"]
    except (ValueError, KeyError, TypeError):
        return (
            run_markers.Liveness.UNKNOWN,
            "it does not say which process's it is",
        )
    return run_markers.judge_process(
        process, run_markers.this_process(), same_database=wrote_to == database
    )
