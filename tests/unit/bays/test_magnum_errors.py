import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import magnum_errors

MESSAGES = {
    "heat_limit": "Maximum resources per stack exceeded",
    "database_pool": "QueuePool limit of size 5 overflow 10 reached",
    "open_files": "[Errno 24] Too many open files",
    "messaging": "MessagingTimeout: Timed out waiting for a reply",
    "capacity": "You have reached the maximum clusters per project, 20",
    "permission": "Forbidden: trustee",
    "timeout": "Create timed out",
    "other": "a new sentence",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_remedy_in_a_message_does_not_change_its_class(name):
    message = MESSAGES[name]
    assert magnum_errors.classify(message) == name
    assert (
        magnum_errors.classify(message + magnum_errors.advice(message)) == name
    )


def test_the_remedy_of_a_known_failure_is_returned():
    assert "bay_quotas" in magnum_errors.advice(MESSAGES["capacity"])
    assert "max_resources_per_stack" in magnum_errors.advice(
        MESSAGES["heat_limit"]
    )


def test_an_unknown_failure_has_no_remedy():
    assert magnum_errors.advice(MESSAGES["other"]) == ""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (exceptions.DeadlineExceeded("x", 1), "deadline"),
        (exceptions.Interrupted("x"), "interrupted"),
        (exceptions.WrongNodes("x"), "wrong_nodes"),
        (exceptions.BayCreateFailed("QueuePool limit of"), "database_pool"),
        (exceptions.BayCreateFailed(MESSAGES["heat_limit"]), "heat_limit"),
        (exceptions.BayCreateFailed("a new sentence"), "other"),
    ],
)
def test_each_error_has_a_class_for_the_records(error, name):
    assert magnum_errors.failure_class(error) == name
