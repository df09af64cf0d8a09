import types

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import templates

K8S = types.SimpleNamespace(uuid="u1", name="k8s", coe="kubernetes")
OTHER = types.SimpleNamespace(uuid="u2", name="other", coe="kubernetes")
SWARM = types.SimpleNamespace(uuid="u3", name="swarm", coe="swarm")


def test_the_only_kubernetes_template_is_chosen():
    assert templates.choose([SWARM, K8S], None) is K8S


@pytest.mark.parametrize("wanted", ["u2", "other"])
def test_a_template_is_found_by_id_and_by_name(wanted):
    assert templates.choose([K8S, OTHER], wanted) is OTHER


@pytest.mark.parametrize(
    ("shown", "wanted", "words"),
    [
        ([], None, "none is visible"),
        ([K8S, OTHER], None, r"2 cluster templates fit.*k8s.*other"),
        ([K8S], "nope", r"bay_template is 'nope'.*k8s"),
        ([K8S, SWARM], "swarm", "is for swarm"),
    ],
)
def test_an_unusable_template_is_one_sentence(shown, wanted, words):
    with pytest.raises(exceptions.TemplateNotFound, match=words) as caught:
        templates.choose(shown, wanted)
    assert str(caught.value).count(". ") == 0
