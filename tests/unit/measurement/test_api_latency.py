import math

import pytest

from rally_magnum_scale.measurement import api_latency

INF = math.inf
BUCKETS = {0.1: 50.0, 0.2: 90.0, 1.0: 100.0, INF: 100.0}


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 0.1), (0.25, 0.05), (0.7, 0.15), (0.9, 0.2), (0.99, 0.92)],
)
def test_a_quantile_is_interpolated_in_its_bucket(share, expected):
    found = api_latency.quantile(BUCKETS, share)
    assert found.value_s == pytest.approx(expected)
    assert found.low_s < found.value_s <= found.high_s


def test_a_quantile_is_as_exact_as_its_bucket():
    found = api_latency.quantile(BUCKETS, 0.99)
    assert (found.low_s, found.high_s) == (0.2, 1.0)
    # At an end, all of the bucket below it may be the truth.
    found = api_latency.quantile(BUCKETS, 0.9)
    assert (found.low_s, found.high_s) == (0.1, 0.2)


def test_a_quantile_in_the_last_bucket_has_no_upper_end():
    buckets = {0.1: 1.0, 1.0: 2.0, INF: 10.0}
    found = api_latency.quantile(buckets, 0.99)
    assert found == api_latency.Quantile(1.0, None, None)
    assert api_latency.quantile(buckets, 0.2).high_s == 1.0


def test_without_requests_there_is_none():
    assert api_latency.quantile({0.1: 0.0, INF: 0.0}, 0.5) is None
    assert api_latency.quantile({}, 0.5) is None
    assert api_latency.count({}) == 0


def test_what_was_counted_before_does_not_count():
    before = api_latency.ApiCounters(7.0, {"GET": {0.1: 5.0, INF: 6.0}})
    after = api_latency.ApiCounters(
        7.0, {"GET": {0.1: 9.0, INF: 12.0}, "POST": {0.1: 1.0, INF: 1.0}}
    )
    assert api_latency.between(before, after) == {
        "GET": {0.1: 4.0, INF: 6.0},
        "POST": {0.1: 1.0, INF: 1.0},
    }


def test_a_counter_that_stands_still_is_not_refused():
    same = {"GET": {0.1: 0.0, INF: 6.0}}
    before = api_latency.ApiCounters(7.0, same)
    after = api_latency.ApiCounters(7.0, {"GET": {INF: 6.0}})
    assert api_latency.between(before, before)["GET"][INF] == 0.0
    # A bucket without a request may be left out.
    assert api_latency.between(before, after) == {"GET": {INF: 0.0}}


def test_a_single_request_that_vanished_is_refused():
    before = api_latency.ApiCounters(7.0, {"GET": {INF: 1.0}})
    with pytest.raises(ValueError, match="counter of GET requests"):
        api_latency.between(before, api_latency.ApiCounters(7.0, {}))


@pytest.mark.parametrize(
    "later", [{"GET": {0.1: 5.0, INF: 5.0}}, {"GET": {INF: 6.0}}, {}]
)
def test_a_counter_that_went_back_is_refused(later):
    before = api_latency.ApiCounters(7.0, {"GET": {0.1: 5.0, INF: 6.0}})
    after = api_latency.ApiCounters(7.0, later)
    with pytest.raises(ValueError, match="counter of GET requests .* went"):
        api_latency.between(before, after)


def test_two_servers_are_not_compared():
    one, other = (api_latency.ApiCounters(at, {}) for at in (1.0, 2.0))
    with pytest.raises(ValueError, match="two API servers, or from one that"):
        api_latency.between(one, other)


def test_verbs_are_merged():
    verbs = {"POST": {1.0: 1.0, INF: 2.0}, "PUT": {1.0: 3.0, INF: 3.0}}
    found = api_latency.merged(verbs, api_latency.KINDS["mutating"])
    assert found == {1.0: 4.0, INF: 5.0}
    assert api_latency.count(found) == 5
