import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import access
from tests.unit.kube import fake_api

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ACTION = access.Action("get", "pods/log")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"allowed": True}, True),
        ({"allowed": False}, False),
        ({"allowed": False, "denied": True, "reason": "no"}, False),
        ({"allowed": False, "evaluationError": "no webhook"}, None),
        ({"allowed": True, "evaluationError": "no webhook"}, True),
        ({"allowed": "yes"}, False),
    ],
)
def test_the_api_says_what_its_user_may_do(status, expected):
    with fake_api.serve({PATH: [{"status": status}]}) as (fake, cluster):
        assert access.is_allowed(cluster, ACTION, "n") is expected
    (review,) = fake.posted
    assert review["spec"]["resourceAttributes"] == {
        "verb": "get",
        "group": "",
        "resource": "pods",
        "subresource": "log",
        "namespace": "n",
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (403, "refused to review the user's rights: 403"),
        ({"status": {}}, "status.allowed is missing"),
        ({}, "status.allowed is missing"),
        ("<html>", "is not the start of a JSON object"),
    ],
)
def test_an_api_that_does_not_say_is_one_sentence(answer, words):
    with (
        fake_api.serve({PATH: [answer]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match=words),
    ):
        access.is_allowed(cluster, ACTION)
