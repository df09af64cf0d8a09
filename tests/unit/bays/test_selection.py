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
    ("shown", "wanted", "kind", "words"),
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
def test_an_unusable_bay_is_one_sentence(shown, wanted, kind, words):
    with pytest.raises(kind, match=words) as caught:
        selection.choose_bay(shown, wanted)
    assert str(caught.value).count(". ") == 0
