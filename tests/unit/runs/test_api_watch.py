import pytest

from rally_magnum_scale.kube import client
from rally_magnum_scale.runs import api_watch
from tests.unit.kube import fake_api

SLI = "apiserver_request_sli_duration_seconds_bucket"
OLD = "apiserver_request_duration_seconds_bucket"


def page(*lines, started=5):
    return "\n".join([f"process_start_time_seconds {started}", *lines, ""])


def bucket(metric, verb, le, count, **labels):
    named = {"verb": verb, "le": le, **labels}
    text = ",".join(f'{key}="{value}"' for key, value in named.items())
    return f"{metric}{{{text}}} {count}"


def buckets(metric, verb, fast, every, **labels):
    return [
        bucket(metric, verb, "0.1", fast, **labels),
        bucket(metric, verb, "+Inf", every, **labels),
    ]


def watched(*pages):
    """Watch between two pages; return the record and the log lines."""
    log = []
    with fake_api.serve({"/metrics": list(pages)}) as (_, cluster):
        found = api_watch.ApiWatch(cluster, log.append).conclude()
    return found, log


def test_the_requests_between_the_two_reads_are_summed_up():
    before = page(*buckets(SLI, "GET", 10, 10, resource="pods"))
    after = page(
        *buckets(SLI, "GET", 20, 20, resource="pods"),
        *buckets(SLI, "GET", 10, 10, resource="nodes"),
        *buckets(SLI, "POST", 4, 4),
        *buckets(SLI, "PATCH", 4, 4),
    )
    found, log = watched(before, after)
    assert found.missing == ""
    assert log == []
    assert found.verbs["GET"]["requests"] == 20
    assert found.kinds["get"]["p50_s"] == pytest.approx(0.05)
    assert found.kinds["get"]["p50_low_s"] == 0.0
    assert found.kinds["get"]["p50_high_s"] == 0.1
    assert found.kinds["mutating"]["requests"] == 8
    assert "list" not in found.kinds


def test_a_quantile_in_the_last_bucket_has_no_value():
    before = page(*buckets(SLI, "POST", 0, 0))
    found, _ = watched(before, page(*buckets(SLI, "POST", 4, 9)))
    mutating = found.kinds["mutating"]
    assert (mutating["p99_s"], mutating["p99_high_s"]) == (None, None)
    assert mutating["p99_low_s"] == 0.1


def test_watches_and_streams_are_left_out():
    after = page(
        *buckets(SLI, "GET", 3, 3),
        *buckets(SLI, "WATCH", 0, 9),
        *buckets(SLI, "CONNECT", 0, 9),
        *buckets(SLI, "GET", 0, 9, subresource="log"),
    )
    found, _ = watched(page(*buckets(SLI, "GET", 0, 0)), after)
    assert set(found.verbs) == {"GET"}
    assert found.verbs["GET"]["requests"] == 3


def test_an_older_server_has_the_older_metric_alone():
    older = buckets(OLD, "GET", 3, 3)
    found, _ = watched(page(*buckets(OLD, "GET", 0, 0)), page(*older))
    assert found.verbs["GET"]["requests"] == 3
    both = page(*older, *buckets(SLI, "GET", 1, 1))
    none = page(*buckets(OLD, "GET", 0, 0), *buckets(SLI, "GET", 0, 0))
    assert watched(none, both)[0].verbs["GET"]["requests"] == 1


def test_a_server_that_was_restarted_has_no_figures():
    one = page(*buckets(SLI, "GET", 3, 3))
    other = page(*buckets(SLI, "GET", 9, 9), started=6)
    found, _ = watched(one, other)
    assert found.kinds == {}
    assert "two API servers" in found.missing


@pytest.mark.parametrize(
    ("answer", "why"),
    [(403, "403"), (page(), "lack apiserver_request_duration")],
)
def test_a_server_without_metrics_is_reported_and_not_an_error(
    monkeypatch, answer, why
):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    found, log = watched(answer)
    assert why in found.missing
    assert not found.missing.endswith(".")
    assert "can't read the API server's latency" in log[0]
