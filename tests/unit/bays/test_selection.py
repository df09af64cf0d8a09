import types

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import selection


def bay(uuid, name, status="CREATE_COMPLETE"):
    return types.SimpleNamespace(uuid=uuid, name=name, status=status)


ONE, OTHER = bay("b1", "one"), bay("b2", "other", "UPDATE_COMPLETE")


@pytest.mark.parametrize("wanted", ["b2", "other"])
def test_a_bay_is_found_by_id_and_by_name(wanted):
    assert selection.choose_bay([ONE, OTHER], wanted) is OTHER


@pytest.mark.parametrize(
    ("shown", "wanted", "kind", "message"),
    [
        ([], "x", exceptions.BayNotFound, "'x'.*none is visible"),
        ([ONE, OTHER], "x", exceptions.BayNotFound, "'x'.*one .b1.*other"),
        ([ONE, bay("b3", "one")], "one", exceptions.BayNotFound, "2 bays"),
        (
            [bay("b4", "sick", "UPDATE_FAILED")],
            "sick",
            exceptions.BayError,
            "sick .b4. is in UPDATE_FAILED",
        ),
        (
            [bay("b5", "young", "CREATE_IN_PROGRESS")],
            "b5",
            exceptions.BayError,
            "CREATE_IN_PROGRESS",
        ),
        (
            [bay("b6", "gone", "DELETE_COMPLETE")],
            "b6",
            exceptions.BayError,
            "DELETE_COMPLETE",
        ),
    ],
)
def test_an_unusable_bay_is_refused_in_one_sentence(
    shown, wanted, kind, message
):
    with pytest.raises(kind, match=message) as caught:
        selection.choose_bay(shown, wanted)
    assert str(caught.value).count(". ") == 0


K8S = types.SimpleNamespace(uuid="u1", name="k8s", coe="kubernetes")
OTHER_K8S = types.SimpleNamespace(uuid="u2", name="other", coe="kubernetes")
SWARM = types.SimpleNamespace(uuid="u3", name="swarm", coe="swarm")


def test_the_only_kubernetes_template_is_chosen():
    assert selection.choose_template([SWARM, K8S], None) is K8S


@pytest.mark.parametrize("wanted", ["u2", "other"])
def test_a_template_is_found_by_id_and_by_name(wanted):
    assert selection.choose_template([K8S, OTHER_K8S], wanted) is OTHER_K8S


@pytest.mark.parametrize(
    ("shown", "wanted", "message"),
    [
        ([], None, "none is visible"),
        ([K8S, OTHER_K8S], None, r"2 cluster templates fit.*k8s.*other"),
        ([K8S], "nope", r"bay_template is 'nope'.*k8s"),
        ([K8S, SWARM], "swarm", "is for swarm"),
    ],
)
def test_an_unusable_template_is_refused_in_one_sentence(
    shown, wanted, message
):
    with pytest.raises(exceptions.TemplateNotFound, match=message) as caught:
        selection.choose_template(shown, wanted)
    assert str(caught.value).count(". ") == 0
