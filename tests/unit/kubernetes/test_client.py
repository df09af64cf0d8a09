import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kubernetes import client
from tests.unit.kubernetes import fake_api

VERSION = "/version/"

ANSWER = {
    "buildDate": "",
    "compiler": "",
    "gitCommit": "",
    "gitTreeState": "",
    "gitVersion": "v1.33.1",
    "goVersion": "",
    "major": "1",
    "minor": "33",
    "platform": "",
}


def test_an_api_that_comes_up_late_is_asked_again():
    with fake_api.serve({VERSION: [503, 0.0, ANSWER]}) as (fake, cluster):
        assert cluster.version() == "v1.33.1"
    assert len(fake.queries) == 3


def test_an_api_that_never_comes_up_is_one_sentence(monkeypatch):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.1)
    with (
        fake_api.serve({VERSION: [503]}) as (fake, cluster),
        pytest.raises(
            exceptions.KubernetesError,
            match="Gave up .* refused to read the version: 503",
        ),
    ):
        cluster.version()
    assert len(fake.queries) > 1
