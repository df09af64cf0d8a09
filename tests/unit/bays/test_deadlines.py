import pytest

from rally_magnum_scale.bays import deadlines


def test_default_deadlines_grow_with_the_nodes():
    for get in (
        deadlines.DEFAULT.for_create,
        deadlines.DEFAULT.for_nodes_ready,
        deadlines.DEFAULT.for_delete,
    ):
        assert get(1000) > get(200) > get(1) > 0


def test_a_deadline_that_is_set_applies_to_any_size():
    short = deadlines.Deadlines(create_s=30, delete_s=20)
    assert short.for_create(1000) == 30
    assert short.for_delete(1) == 20
    assert short.for_nodes_ready(7) == deadlines.nodes_ready_s(7)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_an_invalid_deadline_is_an_error_with_its_key(seconds):
    with pytest.raises(ValueError, match="nodes_ready_s"):
        deadlines.Deadlines(nodes_ready_s=seconds)
