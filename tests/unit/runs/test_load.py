import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.workload import events
from tests.unit.in_bay.stats import simulated_target
from tests.unit.runs.scripted_load import BASE
from tests.unit.runs.scripted_load import FIRST_SECOND
from tests.unit.runs.scripted_load import NAMESPACE
from tests.unit.runs.scripted_load import PREFIX
from tests.unit.runs.scripted_load import WINDOWS
from tests.unit.runs.scripted_load import Run
from tests.unit.runs.scripted_load import end
from tests.unit.runs.scripted_load import job_of
from tests.unit.runs.scripted_load import listed
from tests.unit.runs.scripted_load import log_of
from tests.unit.runs.scripted_load import node_pages
from tests.unit.runs.scripted_load import pod
from tests.unit.runs.scripted_load import record
from tests.unit.runs.scripted_load import running
from tests.unit.runs.scripted_load import script_of
from tests.unit.runs.scripted_load import spec_of
from tests.unit.runs.scripted_load import start
from tests.unit.runs.scripted_load import whole_log
from tests.unit.runs.scripted_load import window

pytestmark = pytest.mark.usefixtures("short_waits")


def test_a_load_runs_and_is_summed_up():
    run = Run(script_of(whole_log()))
    assert run.error is None
    assert [one["record"] for one in run.written] == [
        *["window"] * 3,
        "end",
        "throughput",
    ]
    summary = run.found.throughput
    assert (summary.targets, summary.workers) == (2, 1)
    assert summary.requests_counted_by_targets == 300
    # Three limits of a core on n1, one on n2; hollow nodes have none.
    assert (summary.cores_pods, summary.cores_real_nodes) == (4.0, 8.0)
    assert summary.cores_of == {"targets": 2.0, "generators": 2.0}
    assert not summary.cpus_seen
    assert summary.nodes_with_pods == 2
    assert summary.deploy_s > 0
    assert (summary.pull_s, summary.processes_per_worker) == (None, 1)
    (step,) = summary.steps
    assert (step.achieved_rps, step.reasons) == (100.0, [])
    kinds = [one["kind"] for one in run.posted]
    assert kinds[0] == "Namespace"
    assert kinds[-2:] == ["Pod", "Job"]


def page(pod, used_s, at_s):
    labels = f'{{namespace="{NAMESPACE}",pod="{PREFIX}-{pod}"}}'
    stamp = f"{at_s * 1000:.0f}"
    return (
        f"node_cpu_usage_seconds_total 9.5 {stamp}\n"
        f"pod_cpu_usage_seconds_total{labels} {used_s} {stamp}\n"
    )


def test_the_cpu_counters_of_the_nodes_are_read_when_the_load_begins():
    lines = [start(), *WINDOWS, end()]
    used = [{**one, "cpu_s": 0.25} for one in WINDOWS]
    pages = node_pages(
        [page("target-1", 1, FIRST_SECOND + 2)],
        [page("target-2", 2, FIRST_SECOND + 2)],
    )
    run = Run(
        script_of([[*log_of(lines[0], *used, lines[-1]), "END"]], **pages)
    )
    assert run.error is None
    assert set(pages) <= set(run.paths)
    (step,) = run.found.throughput.steps
    assert step.cpu_s["generators"] == 0.5
    # One reading of each counter is not enough for a figure.
    assert step.cpu_s["targets"] is None
    assert "too rarely" in step.cpu_missing


def test_nodes_that_refuse_their_counters_do_not_fail_the_load():
    log = [[*log_of(start(), *WINDOWS, end()), "END"]]
    run = Run(script_of(log, **node_pages([403], [403])))
    assert run.error is None
    (step,) = run.found.throughput.steps
    assert step.valid
    assert "403" in step.cpu_missing
    assert step.cpu_s["nodes"] is None


def test_the_requests_path_is_recorded_without_its_query():
    spec = spec_of(
        request=request_spec.Request(method="POST", path="/echo?token=secret"),
        keep_alive=False,
        arrivals="poisson",
    )
    found = Run(script_of(whole_log()), spec).found.throughput
    assert found.asked == "POST /echo"
    assert (found.keep_alive, found.arrivals) == (False, "poisson")
    assert not found.tls


SEARCH = trials.Search(
    bounds={"p99_ms": 50}, start_rps=100, max_rps=100, step_s=2, ramp_s=1
)


def a_search():
    """The log of a search with one step that holds, and its confirmation."""
    done, found = [], []
    while trial := rate_search.next_trial(SEARCH, done):
        result = simulated_target.result(trial, 100.0, 0.9)
        done.append(trials.judge(SEARCH, trial, result))
        first = sum(one.ramp_s + one.duration_s for one in done[:-1])
        length = trial.ramp_s + trial.duration_s
        seconds = [
            record(
                "window",
                **{
                    **window(second),
                    "second": FIRST_SECOND + first + 3 * len(done) + second,
                    "step": trial.step,
                },
            )
            for second in range(length)
        ]
        found += [
            record("trial", **trial.to_json()),
            *seconds,
            record("trial", **done[-1].to_json()),
        ]
    return found


def test_a_load_with_more_responses_than_the_targets_counted_is_invalid():
    log = [[*log_of(start(), *WINDOWS, end()), "END"]]
    run = Run(script_of(log, counted=200))
    assert run.error is None
    (step,) = run.found.throughput.steps
    assert "but the targets have counted 200" in "; ".join(step.reasons)


def test_a_search_is_followed_and_concluded():
    log = a_search()
    last = end(
        windows=sum(one["record"] == "window" for one in log),
        requests=sum(one.get("requests", 0) for one in log),
        due=[200, 3000],
    )
    run = Run(
        script_of([[*log_of(*log, last), "END"]], counted=3400),
        spec_of(search=SEARCH),
    )
    assert run.error is None
    answer = run.found.max_rate
    assert answer.valid
    assert (answer.held_rps, answer.max_rate_rps) == (100, 100)
    assert answer.rps_per_core_real_nodes == 100 / 8
    assert [one.steady_s for one in run.found.throughput.steps] == [2, 30]
    assert answer.trials[1].purpose == trials.CONFIRM
    assert "step 1: 100 rps for 2 s after a ramp of 1 s" in run.log
    assert job_of(run).traffic.search == SEARCH
    # The results of the trials are in the result of the search.
    assert not any(one["record"] == "trial" for one in run.written)


def test_a_search_whose_master_dies_has_no_valid_result():
    log = a_search()[:4]
    ended = {f"{BASE}/pods/{PREFIX}-master/status": [running("Failed")]}
    script = script_of([[*log_of(*log, "Killed"), "END"]], **ended)
    run = Run(script, spec_of(search=SEARCH))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert not run.found.max_rate.valid
    assert run.found.max_rate.max_rate_rps is None
    assert len(run.found.throughput.steps) == 1


class RefusingInjector:
    def check(self, _node):
        """Accept every node."""

    def fail(self, _node, _how):
        raise exceptions.BayError("Nova refuses.")


def test_a_failed_disruption_ends_the_load_and_is_recorded():
    # Without its end, the load would run until its deadline.
    log = [log_of(start(written_s=FIRST_SECOND), *WINDOWS)]
    targets = [pod("target", number, node=f"n{number}") for number in (1, 2)]
    script = script_of(
        log,
        **{
            f"{BASE}/pods?master": [listed(pod("master", 3, node="n3"))],
            f"{BASE}/pods?worker": [listed(pod("worker", 4, node="n3"))],
            f"{BASE}/pods?target": [listed(*targets)],
            "/api/v1/nodes": [listed(), []],
        },
    )
    run = Run(
        script,
        spec_of(faults=(events.NodeFault(at_s=0),)),
        injector=RefusingInjector(),
    )
    assert str(run.error) == "Nova refuses."
    (fault,) = run.found.faults
    assert (fault.nodes, fault.reason) == (["n1"], "Nova refuses.")
    assert run.found.throughput.requests_counted_by_targets is None
