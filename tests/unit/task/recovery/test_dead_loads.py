"""Loads that killed runs left in a bay, and the next visit of it."""

import dataclasses
import json
import subprocess
import sys

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import objects
from rally_magnum_scale.task.recovery import dead_loads
from rally_magnum_scale.task.recovery import run_markers
from rally_magnum_scale.workload import naming
from tests.unit.kube import fake_api

NAMESPACES = "/api/v1/namespaces"
ONE = f"{NAMESPACES}/rms-1"
MAPS = f"{ONE}/configmaps"
READY = {
    "metadata": {"name": "n1"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def mark(database="db", version=1, **changes):
    """What a process that is gone wrote, or one that differs from it."""
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        check=True,
        text=True,
    )
    process = dataclasses.asdict(run_markers.this_process())
    process |= {"pid": int(ended.stdout), "start_ticks": 1, **changes}
    return json.dumps(
        {"version": version, "database": database, "process": process}
    )


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": list(items)}


def namespace(annotation):
    annotations = {} if annotation is None else {naming.RUN_BY: annotation}
    return {"metadata": {"name": "rms-1", "annotations": annotations}}


def look(script, annotation):
    """Look at a bay with one namespace; return the paths and the lines."""
    lines = []
    script = {NAMESPACES: [listed(namespace(annotation))], **script}
    with fake_api.serve(script) as (fake, cluster):
        dead_loads.remove(cluster, "db", lines.append)
    selectors = [query.get("labelSelector") for _, query in fake.queries]
    assert selectors[0] == "app.kubernetes.io/managed-by=rally-magnum-scale"
    return [path for path, _ in fake.queries], lines


def test_the_load_of_a_dead_run_goes_after_its_nodes_are_back():
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    kept = {
        "metadata": {"name": "lost-node-n1"},
        "data": {"node.json": json.dumps(node)},
    }
    script = {
        MAPS: [listed(kept)],
        "/api/v1/nodes": [{}, listed(READY)],
        ONE: [{}],
        f"{ONE}/status": [404],
    }
    paths, lines = look(script, mark())
    nodes = ["/api/v1/nodes"] * 2
    assert paths == [NAMESPACES, MAPS, *nodes, ONE, f"{ONE}/status"]
    assert "Removing the namespace rms-1 of a dead run" in lines[0]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (mark(host="elsewhere"), "on the host elsewhere"),
        (mark(database="another"), "another Rally database"),
        (mark(version=2), "another release wrote its annotation"),
        ("{", "does not say which process"),
        ("[]", "does not say which process"),
        (None, "does not say which process"),
    ],
)
def test_a_load_that_is_not_proven_dead_is_only_reported(annotation, words):
    paths, (line,) = look({}, annotation)
    assert paths == [NAMESPACES]
    assert words in line
    assert "kubectl delete namespace rms-1" in line


def test_a_running_load_is_left_alone():
    assert look({}, dead_loads.this_run("db")) == ([NAMESPACES], [])


def test_a_bay_that_refuses_does_not_stop_a_load():
    lines = []
    with fake_api.serve({NAMESPACES: [403]}) as (_, cluster):
        dead_loads.remove(cluster, "db", lines.append)
    assert "Could not search for loads of dead runs" in lines[0]
    _, lines = look({MAPS: [listed()], ONE: [403]}, mark())
    assert "Could not remove the namespace rms-1" in lines[1]


def test_an_interruption_ends_it(monkeypatch):
    def interrupted(*_, **__):
        raise exceptions.Interrupted("stop")

    monkeypatch.setattr(objects, "delete_namespace", interrupted)
    with pytest.raises(exceptions.Interrupted):
        look({MAPS: [listed()]}, mark())
