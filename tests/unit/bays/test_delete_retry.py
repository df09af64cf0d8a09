from rally_magnum_scale.bays import delete_retry


def asked_after(*statuses):
    asked = []
    forgotten = delete_retry.DeleteRetry(lambda: asked.append(1))
    for status in statuses:
        forgotten.look(status)
    return len(asked)


def test_a_delete_under_way_is_not_asked_again():
    assert asked_after(*["DELETE_IN_PROGRESS"] * 100) == 0


def test_a_delete_that_begins_late_is_not_asked_again():
    late = ["CREATE_COMPLETE"] * (delete_retry.LOOKS - 1)
    assert asked_after(*late, *["DELETE_IN_PROGRESS"] * 10) == 0


def test_a_forgotten_delete_is_asked_once_in_a_while():
    assert asked_after(*["CREATE_FAILED"] * delete_retry.LOOKS) == 1
    assert asked_after(*[None] * 2 * delete_retry.LOOKS) == 2
