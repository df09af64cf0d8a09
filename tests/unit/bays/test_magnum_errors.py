import types

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import magnum_errors

POOL = "QueuePool limit of size 5 overflow 50 reached"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (exceptions.DeadlineExceeded("x", 1), "deadline"),
        (exceptions.Interrupted("x"), "interrupted"),
        (exceptions.WrongNodes("x"), "wrong_nodes"),
        (exceptions.BayCreateFailed("x", reason=POOL), "database_pool"),
        (exceptions.BayCreateFailed("x", reason="a new one"), "unclassified"),
        (exceptions.BayCreateFailed("x"), "unclassified"),
        (ZeroDivisionError("x"), "unclassified"),
    ],
)
def test_each_error_has_a_class_for_the_records(error, name):
    assert magnum_errors.failure_class(error) == name


def test_our_own_sentence_does_not_make_the_class():
    error = exceptions.BayCreateFailed(
        "The bay of the template k8s-quota timed out: a new one.",
        reason="a new one",
    )
    assert magnum_errors.failure_class(error) == "unclassified"


def test_a_reason_is_one_line_without_a_full_stop():
    cluster = types.SimpleNamespace(
        status_reason="It failed.\n  Twice.",
        faults={"default-worker": "No valid host.\n"},
    )
    assert magnum_errors.failure_reason(cluster) == (
        "It failed. Twice.; default-worker: No valid host"
    )


@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_a_missing_reason_is_told(reason):
    cluster = types.SimpleNamespace(status_reason=reason)
    assert magnum_errors.failure_reason(cluster) == "Magnum gave no reason"
