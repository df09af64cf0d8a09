"""The job that the master reads, and that it sends to its workers."""

import json

import pytest

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.trials import Search
from tests.unit import loads

JOB = loads.job(
    "https://10.0.0.1/",
    Step(100, 10, 2),
    Step(None, 5),
    search=Search(bounds={"p99_ms": 50}),
    request=Request("POST", "/a", {"A": "b"}, "zwölf", 201, 7),
    keep_alive=False,
    arrivals="poisson",
    addresses=("10.1.0.1:8080", "[fd00::1]:8080"),
    tls=Trust("target.svc", "the CA"),
    version_header="X-Version",
)


def test_a_job_survives_its_environment():
    assert Job.from_environ(JOB.to_environ()) == JOB


def test_a_job_survives_the_message_to_a_worker():
    share = JOB.for_plan(JOB.traffic.plan).share(0)
    assert Job.from_json(json.loads(json.dumps(share.to_json()))) == share
    assert share.traffic.search is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": 1}, "Invalid job.*colour"),
        ({"traffic": {**JOB.traffic.to_json(), "colour": 1}}, "colour"),
        ({"traffic": {**JOB.traffic.to_json(), "timeout_s": 0}}, "timeout_s"),
        ({"source": {"task": "t"}}, "Invalid job.*iteration"),
    ],
)
def test_an_invalid_job_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Job.from_json({**JOB.to_json(), **changes})


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "RMS_JOB"),
        ({"RMS_JOB": "{}"}, "source"),
    ],
)
def test_a_missing_variable_is_named(environ, missing):
    with pytest.raises(ValueError, match=missing):
        Job.from_environ(environ)


def test_an_incomplete_job_is_refused():
    with pytest.raises(ValueError, match="Invalid job"):
        Job.from_json({"plan": [{"rate_rps": 1, "duration_s": 1}]})
