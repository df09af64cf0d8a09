import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.kubernetes import objects
from tests.unit.kubernetes import fake_api

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


def test_an_api_that_falls_silent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT_S", (1.0, 0.1))
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.2)
    with (
        fake_api.serve({PATH: [5.0]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="timed out"),
    ):
        objects.create(cluster, [NAMESPACE])
