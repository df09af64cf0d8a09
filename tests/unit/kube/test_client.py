import time

import kubernetes.client
import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from tests.unit.kube import fake_api

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


def test_requests_to_an_api_that_comes_up_late_are_retried():
    with fake_api.serve({VERSION: [503, 0.0, ANSWER]}) as (fake, cluster):
        assert cluster.version() == "v1.33.1"
    assert len(fake.queries) == 3


def test_an_api_that_never_comes_up_is_one_sentence(monkeypatch):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.1)
    with (
        fake_api.serve({VERSION: [503]}) as (_, cluster),
        pytest.raises(
            exceptions.KubernetesError,
            match="Gave up .* refused to read the version: 503",
        ),
    ):
        cluster.version()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            "<html>Welcome</html>",
            "'<html>Welcome</html>' is not the start of a JSON",
        ),
        ("[1]", "'[1]' is not the start of a JSON object"),
        ({"gitVersion": None}, "gitVersion is missing"),
        ({}, "gitVersion is missing"),
    ],
)
def test_an_invalid_response_is_one_sentence(monkeypatch, answer, words):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.0)
    with (
        fake_api.serve({VERSION: [answer]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError) as caught,
    ):
        cluster.version()
    assert words in str(caught.value)
    assert "sent an invalid response to the request to read" in str(
        caught.value
    )


def test_a_field_that_is_null_is_missing():
    assert client.parse(b'{"a": null, "b": {"c": null, "d": [null, 0]}}') == {
        "b": {"d": [None, 0]}
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [(429, "429"), (500, "500"), (503, "503"), (501, None), (403, None)],
)
def test_the_policy_of_retries_tells_which_status_may_pass(status, expected):
    error = kubernetes.client.ApiException(status=status, reason="scripted")
    found = client.transient(error)
    assert (found and found.what) == expected


def test_the_clock_of_the_bay_is_compared_with_ours():
    # The fake answers with the date of this machine.
    with fake_api.serve({VERSION: [ANSWER]}) as (_, cluster):
        assert abs(cluster.clock_offset().seconds) < 60
        ahead = cluster.clock_offset(lambda: 0.0)
    assert abs(ahead.seconds - time.time()) < 60


def test_a_slow_response_makes_the_clock_offset_less_exact():
    ours = iter([100.0, 107.0])
    with fake_api.serve({VERSION: [ANSWER]}) as (_, cluster):
        found = cluster.clock_offset(lambda: next(ours))
    # The date was written when our clock showed 100 s at the earliest.
    assert found.error_s == 0.5 + 7.0 / 2
    low_s = found.seconds - found.error_s
    assert abs(low_s + 107.0 - time.time()) < 60


def test_an_api_without_a_date_is_one_sentence():
    with (
        fake_api.serve({VERSION: [ANSWER]}, dated=False) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="header Date"),
    ):
        cluster.clock_offset()
