"""The Kubernetes objects of a load, from jinja2 templates.

They are created in three steps, because a bay may have no DNS.  The first
step creates the Services, and what else needs no address
(:func:`foundation`).  The second creates the targets (:func:`targets`), the
third, when they are Ready, the Locust master and its workers (:func:`load`).
"""

from __future__ import annotations

import functools
import ipaddress
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import jinja2
import yaml

from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import locust_pods
from rally_magnum_scale.workload import naming
from rally_magnum_scale.workload import nginx
from rally_magnum_scale.workload.load_spec import LoadSpec
from rally_magnum_scale.workload.pod_options import COMPONENTS

MASTER_CONTAINER = "master"
TARGET_CONTAINER = "target"
# If this file exists, a target asks its clients to reconnect.
CLOSING_PATH = "/tmp/closing"  # noqa: S108
# Grace period of a pod.
GRACE_S = 2
SPREAD_WORDS = {"preferred": "ScheduleAnyway", "required": "DoNotSchedule"}


def namespace(spec: LoadSpec) -> list[dict[str, Any]]:
    """Return the objects that all others need, in order of creation.

    :returns: the Namespace, and the registry's Secret if there is one
    """
    return _objects(_render(spec, "namespace.yaml.j2"))


def puller(spec: LoadSpec) -> dict[str, Any]:
    """Return the DaemonSet that pulls the images on every node of the load.

    Its pods only sleep, so they are Ready as soon as the images are pulled.
    """
    (found,) = _objects(
        _render(
            spec,
            "puller.yaml.j2",
            node_terms=_node_terms(spec),
            tolerations=_all_tolerations(spec),
        )
    )
    return found


def foundation(spec: LoadSpec) -> list[dict[str, Any]]:
    """Return the objects that need no address, in order of creation.

    :returns: the code's ConfigMap, the Secret of the targets' certificate if
        there is one, and the Services
    """
    code, *shared = _objects(_render(spec, "foundation.yaml.j2"))
    # Parsing that much YAML would take half a second.
    code["data"] = {
        locust_pods.key(path): text
        for path, text in locust_pods.files(spec).items()
    }
    return [code, *shared]


def targets(
    spec: LoadSpec, target_ip: str, version: str = events.OLD_VERSION
) -> list[dict[str, Any]]:
    """Return the objects of the targets of one version.

    :param target_ip: ClusterIP of the Service ``names.target``; if it is an
        IPv6 address, the targets listen on IPv6 as well as on IPv4
    :param version: :data:`events.OLD_VERSION`, or, for a load with an
        update, :data:`events.NEW_VERSION`
    :returns: the ConfigMap and the Deployment of the targets
    :raises ValueError: when that is not an address, as in a headless Service
    """
    names, update = spec.names, spec.update
    labels, image, conf_name = {}, spec.nginx_image, names.nginx_conf
    if update:
        labels[events.LABEL_VERSION] = version
    if update and version == events.NEW_VERSION:
        image = update.nginx_image or image
        conf_name = f"{conf_name}-{version}"
    nginx_conf = _render(
        spec,
        "nginx.conf.j2",
        listens=functools.partial(_listens, target_ip),
        version=version,
    )
    return _objects(
        _render(
            spec,
            "target.yaml.j2",
            nginx_conf=nginx_conf,
            conf_name=conf_name,
            image=image,
            pod_labels={**spec.labels("target"), **labels},
            grace_s=_grace_s(spec),
        )
    )


def _listens(target_ip: str, port: int) -> list[str]:
    """Return the addresses on which nginx serves a port.

    Where the kernel has no IPv6, nginx could not listen on its addresses.
    """
    if ipaddress.ip_address(target_ip).version == 4:
        return [str(port)]
    return [str(port), f"[::]:{port}"]


def _grace_s(spec: LoadSpec) -> int:
    """Return the termination grace period of a target.

    During this time it may still answer open requests.
    """
    if spec.update is None or not spec.update.pre_stop_s:
        return GRACE_S
    return GRACE_S + spec.update.pre_stop_s + math.ceil(spec.traffic.timeout_s)


def load(
    spec: LoadSpec,
    *,
    target_ip: str,
    master_ip: str,
    pod_ips: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the Locust master's Pod and the workers' Job.

    :param target_ip: ClusterIP of the Service ``names.target``
    :param master_ip: ClusterIP of the Service ``names.master``
    :param pod_ips: addresses of the targets' pods, if the workers connect
        to them directly
    :raises ValueError: when a value is not an address, as in a headless
        Service
    """
    return _objects(
        _render(
            spec,
            "load.yaml.j2",
            code_items=[
                {"key": locust_pods.key(path), "path": path}
                for path in locust_pods.files(spec)
            ],
            environment={
                "master": locust_pods.master_environment(
                    spec, target_ip, pod_ips
                ),
                "worker": locust_pods.worker_environment(spec, master_ip),
            },
            master_arguments=locust_pods.master_arguments(spec, target_ip),
            worker_arguments=locust_pods.worker_arguments(spec, master_ip),
        )
    )


def _node_terms(spec: LoadSpec) -> list[dict[str, Any]]:
    """Return node selector terms that match every node any pod may use.

    An empty list matches every node, as for pods without a node selector.
    """
    selectors = [spec.pods[name].node_selector for name in COMPONENTS]
    if not all(selectors):
        return []
    return [
        {
            "matchExpressions": [
                {"key": key, "operator": "In", "values": [value]}
                for key, value in selector.items()
            ]
        }
        for selector in selectors
    ]


def _all_tolerations(spec: LoadSpec) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in COMPONENTS:
        for toleration in spec.pods[name].tolerations:
            if toleration not in found:
                found.append(dict(toleration))
    return found


def _render(spec: LoadSpec, template: str, **values: Any) -> str:
    environment = _environment()
    values |= {
        "spec": spec,
        "names": spec.names,
        "labels": spec.labels,
        "update": spec.update,
        "locustfile": locust_pods.locustfiles(spec),
    }
    macros = environment.get_template("macros.yaml.j2").make_module(values)
    return environment.get_template(template).render(values, macros=macros)


@functools.cache
def _environment() -> jinja2.Environment:
    """Return the jinja2 environment, which keeps compiled templates."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rally_magnum_scale.workload"),
        undefined=jinja2.StrictUndefined,
        # The values are escaped for YAML.
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    # tojson's escapes for HTML would become part of the values here.
    environment.filters["tojson"] = _yaml
    environment.globals.update(
        version_header=events.VERSION_HEADER,
        closing_path=CLOSING_PATH,
        run_by=naming.RUN_BY,
        spread_words=SPREAD_WORDS,
        target_port=nginx.PORT,
        master_port=locust_pods.MASTER_PORT,
        status_path=nginx.STATUS_PATH,
        status_port=nginx.STATUS_PORT,
        master_container=MASTER_CONTAINER,
        code_root=locust_pods.CODE_ROOT,
        container_security={
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    )
    return environment


def _yaml(value: Any) -> str:
    r"""Write a value as JSON that YAML reads in the same way.

    YAML knows no surrogate pairs, but has the escape ``\UXXXXXXXX``.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda found: rf"\U{ord(found[0]):08x}", text)


def _objects(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]
