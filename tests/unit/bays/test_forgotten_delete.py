from rally_magnum_scale.bays import forgotten_delete


def asked_after(*statuses):
    asked = []
    forgotten = forgotten_delete.ForgottenDelete(lambda: asked.append(1))
    for status in statuses:
        forgotten.look(status)
    return len(asked)


def test_a_delete_under_way_is_not_asked_again():
    assert asked_after(*["DELETE_IN_PROGRESS"] * 100) == 0


def test_a_delete_that_begins_late_is_not_asked_again():
    late = ["CREATE_COMPLETE"] * (forgotten_delete.LOOKS - 1)
    assert asked_after(*late, *["DELETE_IN_PROGRESS"] * 10) == 0


def test_a_forgotten_delete_is_asked_once_in_a_while():
    assert asked_after(*["CREATE_FAILED"] * forgotten_delete.LOOKS) == 1
    assert asked_after(*[None] * 2 * forgotten_delete.LOOKS) == 2
