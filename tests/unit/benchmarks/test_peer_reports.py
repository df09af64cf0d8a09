"""What the programs really printed, shortened."""

import pytest

from benchmarks import peer_reports
from rally_magnum_sandbox import exceptions

WRK = """Running 2s test @ http://127.0.0.1:33181/
  1 threads and 64 connections
  Latency Distribution
     50%  225.00us
228086 requests in 2.00s, 42.20MB read
Requests/sec: 113855.23

{"requests": 228086, "us": 2003303, "p50": 225.0, "p99": 9526, "p99_9": 13925}
"""

HEY = """
Summary:
  Total:\t2.0087 secs
  Slowest:\t0.0509 secs
  Requests/sec:\t13959.1371

Latency distribution:
  50%% in 0.0042 secs
  95%% in 0.0099 secs
  99%% in 0.0165 secs

Details (average, fastest, slowest):
  resp wait:\t0.0002 secs, 0.0000 secs, 0.0008 secs

Status code distribution:
  [200]\t28040 responses
  [503]\t7 responses
"""

OHA = {
    "summary": {"total": 2.002758115, "requestsPerSec": 82110.0},
    "latencyPercentiles": {
        "p50": 0.000572019,
        "p99": 0.004521283,
        "p99.9": 0.007560645,
    },
    "statusCodeDistribution": {"200": 164393, "500": 3},
}

VEGETA = """\
1795439184876274057,200,4022522,0,0,,,,0,GET,http://127.0.0.1:36371/,Q29ub==
1795439184975991015,200,303020,0,0,,,,1,GET,http://127.0.0.1:36371/,Q29ubm==
1795439185076565517,503,380435,0,0,,,,2,GET,http://127.0.0.1:36371/,Q29ubm==
"""

K6 = {
    "metrics": {
        "http_reqs": {"count": 14069, "rate": 6992.825},
        "http_req_duration": {
            "p(50)": 7.302853,
            "p(99)": 33.683,
            "p(99.9)": 44.18,
        },
    }
}


def test_wrk():
    found = peer_reports.wrk(WRK, 1.5)
    assert (found.requests, found.seconds, found.cpu_s) == (
        228086,
        2.003303,
        1.5,
    )
    assert found.latency_us == {"p50": 225, "p99": 9526, "p99_9": 13925}
    assert found.figures("wrk")["wrk_rps"] == 113855


def test_hey_counts_only_good_answers_and_tells_no_p99_9():
    found = peer_reports.hey(HEY, 1.0)
    assert (found.requests, found.seconds) == (28040, 2.0087)
    assert found.latency_us == pytest.approx({"p50": 4200, "p99": 16500})


def test_oha_counts_only_good_answers():
    found = peer_reports.oha(OHA, 1.0)
    assert found.requests == 164393
    assert found.latency_us == pytest.approx(
        {"p50": 572.019, "p99": 4521.283, "p99_9": 7560.645}
    )


def test_vegeta_is_read_request_by_request():
    found = peer_reports.vegeta(VEGETA, 1.0)
    assert found.requests == 2
    # From the first request to the last answer.
    assert found.seconds == pytest.approx(0.100019978)
    assert found.latency_us["p50"] == 303
    assert found.latency_us["p99_9"] == pytest.approx(4022, abs=4)


def test_k6():
    found = peer_reports.k6(K6, 1.0)
    assert found.requests == 14069
    assert found.rps == pytest.approx(6992.825)
    assert found.latency_us["p99"] == pytest.approx(33_683)


@pytest.mark.parametrize("read", ["wrk", "hey", "vegeta"])
def test_a_program_that_had_no_answer_is_named(read):
    with pytest.raises(exceptions.SandboxError, match=f"^{read} was run"):
        getattr(peer_reports, read)("", 1.0)
