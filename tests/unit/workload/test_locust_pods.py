"""What the Locust pods run, and the job that they read."""

import ast
import json
import pathlib

import pytest

import rally_magnum_scale
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.trials import Search
from rally_magnum_scale.workload import locust_file
from rally_magnum_scale.workload import locust_pods
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx
from tests.unit.workload.rendered import SOURCE
from tests.unit.workload.rendered import every
from tests.unit.workload.rendered import job_of
from tests.unit.workload.rendered import of_kind
from tests.unit.workload.rendered import pod_specs
from tests.unit.workload.rendered import spec


def test_the_master_expects_every_worker_process():
    objects = every(spec(workers=3, processes_per_worker=4))
    _, _, master, worker = pod_specs(objects)
    assert "--processes=4" in worker["containers"][0]["args"]
    for argument in ("--expect-workers=12", "--users=12"):
        assert argument in master["containers"][0]["args"]
    assert job_of(objects).worker_processes == 12
    single = pod_specs(every(spec()))[-1]["containers"][0]["args"]
    assert not any("--processes" in argument for argument in single)


def test_the_master_reads_the_traffic_that_the_host_wrote():
    read = job_of(every(spec(connections_per_worker=9)))
    assert read.traffic == spec(connections_per_worker=9).traffic
    assert read.source == SOURCE
    assert read.targets == [("10.0.0.1", nginx.PORT)]
    assert read.request_bytes.startswith(
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n"
    )


def test_the_job_contains_the_request():
    request = Request("POST", "/a", {"A": "b"}, "zwölf", 201, 7)
    read = job_of(
        every(spec(request=request, keep_alive=False, arrivals="poisson"))
    )
    traffic = read.traffic
    assert (traffic.request, traffic.keep_alive) == (request, False)
    assert traffic.arrivals == "poisson"
    assert read.request_bytes.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"\r\nConnection: close\r\n" in read.request_bytes


def test_the_job_contains_the_search():
    wanted = Search(bounds={"p99_ms": 50}, start_rps=100, max_steps=4)
    one = spec(search=wanted, timeout_s=5, lateness_s=10)
    assert job_of(every(one)).traffic.search == wanted
    # Four steps of 30 s with their ramps, and what lies between them.
    assert one.traffic.longest_s == 4 * (2 + 30) + 4 * (5 + 10)
    assert spec().traffic.longest_s == spec().traffic.plan.total_s


def test_the_largest_request_fits_into_the_environment():
    request = Request(
        headers={"A": "\\" * 8000, "B": "b" * 8000}, body="ü" * 10_000
    )
    objects = every(spec(request=request))
    (pod,) = of_kind(objects, "Pod")
    environment = pod["spec"]["containers"][0]["env"]
    # https://man7.org/linux/man-pages/man2/execve.2.html: MAX_ARG_STRLEN
    assert max(len(str(each["value"])) for each in environment) < 131_072
    assert job_of(objects).traffic.request == request


def test_ipv6_addresses_are_in_brackets():
    objects = manifests.load(spec(), target_ip="fd00::1", master_ip="fd00::2")
    (master,) = of_kind(objects, "Pod")
    environment = master["spec"]["containers"][0]["env"]
    (text,) = (e["value"] for e in environment if e["name"] == "RMS_JOB")
    assert json.loads(text)["url"] == "http://[fd00::1]:8080/"


def test_an_invalid_address_is_refused():
    with pytest.raises(ValueError, match="None"):
        manifests.load(spec(), target_ip="None", master_ip="10.0.0.2")


def connections_of(one, pod_ips, workers):
    """Which targets the connections of each worker process go to."""
    read = job_of(
        manifests.load(
            one, target_ip="10.0.0.1", master_ip="10.0.0.2", pod_ips=pod_ips
        )
    )
    shares = [
        Job.from_json(read.share(worker).to_json())
        for worker in range(workers)
    ]
    counts = [share.traffic.connections_per_worker for share in shares]
    return counts, shares


def test_connections_to_the_service_are_divided_over_processes():
    one = spec(workers=2, processes_per_worker=3, connections_per_worker=8)
    counts, shares = connections_of(one, (), 6)
    assert counts == [3, 3, 2, 3, 3, 2]
    assert all(share.targets == [("10.0.0.1", 8080)] for share in shares)


def test_connections_to_pod_addresses_reach_all_targets_evenly():
    ips = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "fd00::4", "10.1.0.5"]
    one = spec(
        targets=5,
        workers=3,
        processes_per_worker=2,
        connections_per_worker=5,
        target_address="pod",
    )
    counts, shares = connections_of(one, ips, 6)
    assert [len(share.targets) for share in shares] == counts
    hosts = [host for share in shares for host, _ in share.targets]
    assert hosts == ips * 3
    assert {port for share in shares for _, port in share.targets} == {8080}
    # The request is the same for every target.
    assert {share.request_bytes for share in shares} == {
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n"
    }


def test_the_code_fits_into_a_config_map():
    code = of_kind(every(spec()), "ConfigMap")[0]["data"]
    assert "rally_magnum_scale.in_bay.engine.py" in code
    # A Locust file of the user's may take the other half.
    assert sum(map(len, code.values())) < locust_file.MAX_BYTES


def test_the_modules_of_a_search_are_mounted():
    (code, *_) = of_kind(every(spec()), "ConfigMap")
    found = " ".join(code["data"])
    for name in ("rate_search", "trials", "records", "step_summary"):
        assert f"in_bay.stats.{name}.py" in found


def test_mounted_modules_import_only_mounted_modules():
    package = pathlib.Path(rally_magnum_scale.__file__).parent
    mounted = {
        found.relative_to(package)
        for pattern in locust_pods.CODE_PATHS
        for found in package.glob(pattern)
    }
    for path in mounted:
        for name in imported(ast.parse((package / path).read_text())):
            wanted = pathlib.Path(*name.split(".")[1:])
            assert {
                wanted.with_suffix(".py"),
                wanted / "__init__.py",
            } & mounted, f"{path} imports {name}"


def imported(tree):
    """Name the modules of the package that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            whole = str(node.module)
            if whole.startswith("rally_magnum_scale"):
                package = pathlib.Path(rally_magnum_scale.__file__).parent
                folder = package.joinpath(*whole.split(".")[1:])
                yield from (
                    [f"{whole}.{one.name}" for one in node.names]
                    if folder.is_dir()
                    else [whole]
                )
