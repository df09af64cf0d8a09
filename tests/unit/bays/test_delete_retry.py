from rally_magnum_scale.bays import delete_retry


def asked_after(*statuses):
    asked = []
    forgotten = delete_retry.DeleteRetry(lambda: asked.append(1))
    for status in statuses:
        forgotten.look(status)
    return len(asked)


def test_a_delete_in_progress_is_not_requested_again():
    assert asked_after(*["DELETE_IN_PROGRESS"] * 100) == 0


def test_a_delete_that_begins_late_is_not_requested_again():
    late = ["CREATE_COMPLETE"] * (delete_retry.LOOKS - 1)
    assert asked_after(*late, *["DELETE_IN_PROGRESS"] * 10) == 0


def test_a_lost_delete_is_requested_again_after_some_polls():
    assert asked_after(*["CREATE_FAILED"] * delete_retry.LOOKS) == 1
    assert asked_after(*[None] * 2 * delete_retry.LOOKS) == 2
