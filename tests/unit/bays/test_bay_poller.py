import itertools
import math
import types

import pytest
from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import timing


class SlowClusters:
    """Clusters of a slow API, in seconds of a clock of their own.

    :param takes_s: seconds that each request takes, in turn
    :param complete_at: when the bay is complete
    """

    def __init__(self, takes_s, complete_at=math.inf):
        self.clusters = self
        self.takes_s = iter(takes_s)
        self.complete_at = complete_at
        self.now = 0.0
        self.timeouts_s = []

    def get(self, uuid):
        timeout_s, takes_s = timing._timeout_s.get(), next(self.takes_s)
        self.timeouts_s.append(timeout_s)
        complete = self.now >= self.complete_at
        self.now += min(timeout_s, takes_s)
        if timeout_s < takes_s:
            raise keystone_errors.ConnectTimeout
        return types.SimpleNamespace(
            uuid=uuid,
            status=f"CREATE_{'COMPLETE' if complete else 'IN_PROGRESS'}",
            status_reason=None,
        )

    def sleep(self, seconds):
        self.now += seconds


def test_an_api_that_is_always_slow_keeps_its_longer_timeout():
    magnum = SlowClusters([12.0] * 5 + [0.1] * 2)
    poll = bay_poller.BayPoller(magnum, "c-1", lambda: magnum.now)
    for _ in range(7):
        poll()
    assert magnum.timeouts_s == [5.0, 10.0, 20.0, 24.0, 24.0, 24.0, 5.0]


@pytest.mark.parametrize("first", range(7))
def test_an_api_that_delays_each_seventh_request_does_not_slow_a_bay(first):
    takes_s = (
        30.0 if number % 7 == 0 else 0.02 for number in itertools.count(first)
    )
    magnum = SlowClusters(takes_s, complete_at=8.0)
    bays = lifecycle.Bays(magnum, clock=lambda: magnum.now, sleep=magnum.sleep)
    exact_s = bays.wait_created("c-1", 2).resolution_of(magnum.now)
    assert magnum.now < 8.0 + bay_poller.TIMEOUT_S + 2 * 1.1
    assert exact_s < bay_poller.TIMEOUT_S + 2 * 1.1
    assert magnum.now - exact_s < 8.0 <= magnum.now


def requests_after(*statuses):
    requests = []
    retry = bay_poller.DeleteRetry(lambda: requests.append(1))
    for status in statuses:
        retry.on_status(status)
    return len(requests)


def test_a_delete_in_progress_is_not_requested_again():
    assert requests_after(*["DELETE_IN_PROGRESS"] * 100) == 0


def test_a_delete_that_begins_late_is_not_requested_again():
    late = ["CREATE_COMPLETE"] * (bay_poller.POLLS_UNTIL_LOST - 1)
    assert requests_after(*late, *["DELETE_IN_PROGRESS"] * 10) == 0


def test_a_lost_delete_is_requested_again_after_some_polls():
    assert (
        requests_after(*["CREATE_FAILED"] * bay_poller.POLLS_UNTIL_LOST) == 1
    )
    assert requests_after(*[None] * 2 * bay_poller.POLLS_UNTIL_LOST) == 2
