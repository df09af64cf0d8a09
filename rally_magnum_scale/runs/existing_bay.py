"""Open a bay that this run did not create, and never delete it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import memory

# An existing bay has Ready nodes already, so this deadline is short.
READY_WITHIN_S = 60.0


@dataclasses.dataclass(frozen=True)
class ExistingBay:
    """An open bay that this run did not create.

    :param cluster: the open Kubernetes API of the bay
    :param nodes: the nodes when the bay was opened, Ready or not
    :param record: the bay's record
    :param sign: returns a signed certificate for a server with the given
        name; None where there is no Magnum to sign it
    """

    cluster: client.KubeClient
    nodes: Sequence[nodes.Node]
    record: bay_records.Bay
    sign: Callable[[str], credentials.ServerCertificate] | None = None


CleanUp = Callable[[client.KubeClient], None]


def _do_nothing(_: client.KubeClient) -> None:
    """Leave the bay as it is."""


@contextlib.contextmanager
def by_name(
    bays: lifecycle.Bays,
    wanted: str,
    log: Callable[[str], None],
    clean_up: CleanUp = _do_nothing,
) -> Iterator[ExistingBay]:
    """Open a bay that Magnum shows.

    :param bays: the bays of a project
    :param wanted: name or id
    :param log: callback for progress lines
    :param clean_up: called with the cluster before its nodes are read
    :raises BayNotFound: when no bay or several match
    :raises BayError: when the bay is not complete
    """
    found = bays.find(wanted)
    record = bay_records.Bay(
        uuid=found.uuid,
        template=found.cluster_template_id,
        nodes=found.node_count,
        status=found.status,
        made_by="named",
        name=found.name,
        masters=found.master_count,
    )
    with bay_life.open_bay(bays, found) as cluster:
        clean_up(cluster)
        yield dataclasses.replace(
            _read(cluster, record, log),
            sign=functools.partial(bays.server_certificate, found),
        )


@contextlib.contextmanager
def of_context(
    bays: lifecycle.Bays,
    record: bay_records.Bay,
    log: Callable[[str], None],
    clean_up: CleanUp = _do_nothing,
) -> Iterator[ExistingBay]:
    """Open a bay that a context of the task has created.

    :param bays: the bays of its project
    :param record: the context's record of the bay, which stays unchanged
    :param log: callback for progress lines
    :param clean_up: as in :func:`by_name`
    :raises BayNotFound: when the bay is gone
    :raises BayError: when the bay is not complete
    """
    found = bays.find(record.uuid)
    with bay_life.open_bay(bays, found) as cluster:
        clean_up(cluster)
        yield dataclasses.replace(
            _read(cluster, record, log),
            record=record,
            sign=functools.partial(bays.server_certificate, found),
        )


@contextlib.contextmanager
def by_kubeconfig(
    path: str,
    context: str | None,
    log: Callable[[str], None],
    clean_up: CleanUp = _do_nothing,
) -> Iterator[ExistingBay]:
    """Open a bay, or any Kubernetes cluster, without OpenStack.

    :param path: of a kubeconfig on the host where Rally runs
    :param context: name of one of its contexts; None for the current context
    :param log: callback for progress lines
    :param clean_up: as in :func:`by_name`
    :raises InvalidInput: when the kubeconfig is invalid
    """
    record = bay_records.Bay(
        uuid="",
        template="",
        nodes=0,
        made_by="kubeconfig",
        name=context or Path(path).name.removesuffix(".kubeconfig"),
    )
    with client.connect_kubeconfig(path, context) as cluster:
        clean_up(cluster)
        yield _read(cluster, record, log)


def _read(
    cluster: client.KubeClient,
    record: bay_records.Bay,
    log: Callable[[str], None],
) -> ExistingBay:
    version = cluster.version()
    found = nodes.wait_for_ready(
        cluster, 1, deadline_s=READY_WITHIN_S, log=log
    )
    ready = sum(node.ready for node in found)
    log(
        f"the bay {record.name} runs Kubernetes {version}; {ready} of its "
        f"{len(found)} nodes are Ready"
    )
    return ExistingBay(
        cluster,
        found,
        dataclasses.replace(
            record,
            nodes=record.nodes or len(found),
            kubernetes_version=version,
            client_memory_peak_bytes=memory.peak_bytes(),
            **bay_life.node_facts(found),
        ),
    )
