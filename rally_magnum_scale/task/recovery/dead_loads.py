"""Remove loads that dead runs left in a bay.

The run markers on this host do not list bays that were opened by a
kubeconfig.  Therefore an annotation of the load's namespace identifies the
process that is responsible for its removal.
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
    """Return the annotation that identifies this process as a load's owner.

    :param database: hash of the address of Rally's database
    """
    process = dataclasses.asdict(run_markers.this_process())
    return json.dumps(
        {"version": VERSION, "database": database, "process": process}
    )


def remove(
    cluster: client.KubeClient, database: str, log: Callable[[str], None]
) -> None:
    """Remove the loads of dead runs from a bay.

    Nodes that such a run removed are brought back first.  Loads whose run
    may be alive are only reported.  A removal that fails is reported, and
    the next start tries again.

    :param database: as in :func:`this_run`
    :raises Interrupted: when this run is interrupted meanwhile
    """
    try:
        found = objects.namespaces(cluster, naming.MANAGED)
    except exceptions.KubernetesError as error:
        log(f"Could not search for loads of dead runs: {error}")
        return
    for name, notes in found.items():
        annotation = notes.get(naming.RUN_BY, "")
        state, why = _judge(annotation, database)
        if state is run_markers.RunState.ALIVE:
            continue
        if state is run_markers.RunState.UNKNOWN:
            log(
                f"The namespace {name} holds the load of a run that may have "
                f"ended: {why}. The namespace is not deleted. If nobody uses "
                f"it, delete it with 'kubectl delete namespace {name}'."
            )
            continue
        log(f"Removing the namespace {name} of a dead run.")
        try:
            lost_nodes.bring_back(cluster, name, log)
            objects.delete_namespace(
                cluster, name, deadline_s=_REMOVE_S, log=log
            )
        except exceptions.Interrupted:
            raise
        except exceptions.ScaleError as error:
            log(
                f"Could not remove the namespace {name} of a dead run: {error}"
            )


def _judge(annotation: str, database: str) -> tuple[run_markers.RunState, str]:
    try:
        content = json.loads(annotation)
        if content["version"] != VERSION:
            return (
                run_markers.RunState.UNKNOWN,
                "another release wrote its annotation",
            )
        process = run_markers.Process(**content["process"])
        wrote_to = content["database"]
    except (ValueError, KeyError, TypeError):
        return (
            run_markers.RunState.UNKNOWN,
            "it does not say which process created it",
        )
    return run_markers.judge_process(
        process, run_markers.this_process(), same_database=wrote_to == database
    )
