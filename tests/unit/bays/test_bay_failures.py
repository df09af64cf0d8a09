import pytest

from rally_magnum_scale.bays import bay_failures

SAID = {
    "heat_limit": "Maximum resources per stack exceeded",
    "database_pool": "QueuePool limit of size 5 overflow 10 reached",
    "open_files": "[Errno 24] Too many open files",
    "messaging": "MessagingTimeout: Timed out waiting for a reply",
    "capacity": "You have reached the maximum clusters per project, 20",
    "permission": "Forbidden: trustee",
    "timeout": "Create timed out",
    "other": "a new sentence",
}


@pytest.mark.parametrize("name", SAID)
def test_the_remedy_in_a_message_does_not_change_its_class(name):
    said = SAID[name]
    assert bay_failures.classify(said) == name
    assert bay_failures.classify(said + bay_failures.advice(said)) == name


def test_the_remedy_of_a_known_failure_is_returned():
    assert "bay_quotas" in bay_failures.advice(SAID["capacity"])
    assert "max_resources_per_stack" in bay_failures.advice(SAID["heat_limit"])


def test_an_unknown_failure_has_no_remedy():
    assert bay_failures.advice(SAID["other"]) == ""
