import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import objects
from tests.unit.kube import fake_api

PATH = "/api/v1/namespaces"
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "load"},
}


def test_an_object_is_posted_as_it_was_given():
    with fake_api.serve({PATH: [NAMESPACE]}) as (fake, cluster):
        objects.create(cluster, [NAMESPACE])
    assert fake.posted == [NAMESPACE]


def test_a_refused_object_is_named():
    with (
        fake_api.serve({PATH: [409]}) as (_, cluster),
        pytest.raises(
            exceptions.KubernetesError, match="create the Namespace load: 409"
        ),
    ):
        objects.create(cluster, [NAMESPACE])


def test_an_api_that_stops_answering_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT_S", (1.0, 0.1))
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.2)
    with (
        fake_api.serve({PATH: [5.0]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="timed out"),
    ):
        objects.create(cluster, [NAMESPACE])


@pytest.mark.parametrize("broken", [0.0, 500, 503, 429])
def test_an_object_is_created_once_the_api_is_back(broken):
    with fake_api.serve({PATH: [broken, NAMESPACE]}) as (fake, cluster):
        objects.create(cluster, [NAMESPACE])
    assert fake.posted == [NAMESPACE] * 2


def test_a_retry_accepts_what_an_attempt_that_broke_off_created():
    with fake_api.serve({PATH: [0.0, 409]}) as (fake, cluster):
        objects.create(cluster, [NAMESPACE])
    assert fake.posted == [NAMESPACE] * 2


def namespace_answers(*status):
    return {
        f"{PATH}/load": [NAMESPACE],
        f"{PATH}/load/status": list(status),
    }


def test_a_namespace_is_waited_for_while_the_api_is_away():
    phase = {**NAMESPACE, "status": {"phase": "Terminating"}}
    script = namespace_answers(phase, 503, 0.0, 404)
    with fake_api.serve(script) as (fake, cluster):
        objects.delete_namespace(cluster, "load", deadline_s=30)
    paths = [path for path, _ in fake.queries if path.endswith("/status")]
    assert len(paths) == 4


def test_a_namespace_that_is_not_gone_in_time_is_an_error():
    phase = {**NAMESPACE, "status": {"phase": "Terminating"}}
    with (
        fake_api.serve(namespace_answers(phase)) as (_, cluster),
        pytest.raises(
            exceptions.DeadlineExceeded, match="progress: Terminating"
        ),
    ):
        objects.delete_namespace(cluster, "load", deadline_s=0.1)
