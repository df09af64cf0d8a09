import pytest

from rally_magnum_scale.kube import client
from rally_magnum_scale.runs import api_watch
from tests.unit.kube import fake_api

SLI = "apiserver_request_sli_duration_seconds_bucket"
OLD = "apiserver_request_duration_seconds_bucket"


ENDPOINT_SLICES = (
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?kubernetes"
)


def page(*lines, started=5):
    return "\n".join([f"process_start_time_seconds {started}", *lines, ""])


def servers(*slices):
    """EndpointSlices; each is a list of addresses of API servers."""
    return {
        "items": [
            {
                "addressType": "IPv4",
                "endpoints": [{"addresses": [one]} for one in addresses],
            }
            for addresses in slices
        ]
    }


ONE_SERVER = servers(["10.0.0.5"])


def bucket(metric, verb, le, count, **labels):
    named = {"verb": verb, "le": le, **labels}
    text = ",".join(f'{key}="{value}"' for key, value in named.items())
    return f"{metric}{{{text}}} {count}"


def buckets(metric, verb, fast, every, **labels):
    return [
        bucket(metric, verb, "0.1", fast, **labels),
        bucket(metric, verb, "+Inf", every, **labels),
    ]


def watched(*pages, listed=(ONE_SERVER,)):
    """Watch between two pages; return the record and the log lines."""
    log = []
    script = {"/metrics": list(pages), ENDPOINT_SLICES: list(listed)}
    with fake_api.serve(script) as (_, cluster):
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
    ("slices", "count"),
    [
        (servers(["10.0.0.5", "10.0.0.6", "10.0.0.7"]), 3),
        (servers(["10.0.0.5"], ["10.0.0.6"]), 2),
        (servers(), 0),
        ({"items": [{"addressType": "IPv4", "endpoints": None}]}, 0),
    ],
)
def test_one_of_several_servers_has_no_figures(slices, count):
    pages = [page(*buckets(SLI, "GET", n, n)) for n in (1, 4)]
    assert watched(*pages)[0].kinds["get"]["requests"] == 3
    for listed in ([slices], [ONE_SERVER, slices], [slices, ONE_SERVER]):
        found, log = watched(*pages, listed=listed)
        assert found.kinds == {}
        assert f"The bay has {count} API servers" in found.missing
        assert found.missing in log[0]


def test_an_address_that_is_listed_twice_is_one_server():
    pages = [page(*buckets(SLI, "GET", n, n)) for n in (1, 4)]
    twice = servers(["10.0.0.5"], ["10.0.0.5"])
    assert watched(*pages, listed=[twice])[0].kinds["get"]["requests"] == 3


def test_a_server_that_hides_its_start_may_have_been_restarted():
    hidden = "\n".join([*buckets(SLI, "GET", 3, 3), ""])
    found, _ = watched(hidden)
    assert found.kinds == {}
    assert "lack process_start_time_seconds" in found.missing


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
