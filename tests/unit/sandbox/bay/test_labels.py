from __future__ import annotations

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import labels


def test_labels_have_defaults_and_other_labels_are_ignored() -> None:
    read = labels.read({"kube_tag": "v1", "sandbox_hang_delete": "true"}, 3)
    assert read == labels.BayLabels(real_nodes=1, hang_delete=True)


def test_all_nodes_may_be_real() -> None:
    read = labels.read({"sandbox_real_nodes": "3"}, 2)
    assert read.real_nodes == 3
    assert labels.read({}, 0).unready_nodes == 0


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("sandbox_real_nodes", "many", "a whole number, 0 to 100"),
        ("sandbox_real_nodes", "101", "a whole number, 0 to 100"),
        ("sandbox_real_nodes", "-1", "a whole number, 0 to 100"),
        ("sandbox_unready_nodes", "5", "a whole number, 0 to 4"),
        ("sandbox_unready_nodes", "", "a whole number, 0 to 4"),
        ("sandbox_node_grace_s", "19", "a whole number, 20 to 600"),
        ("sandbox_hang_create", "yes", "true or false"),
        ("sandbox_hang_delete", "True", "true or false"),
        ("sandbox_fail_create", " ", "the reason to fail with"),
        ("sandbox_fail_resize", "", "the reason to fail with"),
    ],
)
def test_the_error_names_a_wrong_value(
    name: str, value: str, right: str
) -> None:
    with pytest.raises(exceptions.SandboxError) as error:
        labels.read({name: value}, 5)
    assert str(error.value) == (
        f"The label {name} is {value!r}; it must be {right}."
    )


def test_the_error_names_a_misspelt_label() -> None:
    with pytest.raises(exceptions.SandboxError) as error:
        labels.read({"sandbox_real_node": "1"}, 5)
    assert "sandbox_real_node is unknown" in str(error.value)
    assert "sandbox_real_nodes, " in str(error.value)
