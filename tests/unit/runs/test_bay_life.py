import base64
import dataclasses
import datetime
import itertools
import time

import psutil
import pytest
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import drivers
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.runs import bay_life
from tests.unit.bays import fake_magnum
from tests.unit.kube import fake_api

REQUEST = lifecycle.BayRequest(name="rms-1", nodes=2)


def life_of(bays, log):
    ticks = iter(range(1000))
    return bay_life.BayLife(
        bays, REQUEST, log.append, clock=lambda: float(next(ticks))
    )


def test_the_resolution_of_a_bays_times_is_recorded():
    magnum = fake_magnum.FakeMagnum(
        *["CREATE_IN_PROGRESS"] * 3,
        fake_magnum.Slow(30.0, "CREATE_COMPLETE"),
        *["DELETE_IN_PROGRESS"] * 3,
        fake_magnum.Slow(40.0, 404),
    )
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print, clock=lambda: magnum.now)
        life.create()
        life.delete()
    record = life.record
    assert (record.create_s, record.create_resolution_s) == (32.0, 31.0)
    assert (record.delete_s, record.delete_resolution_s) == (43.0, 41.0)
    assert record.magnum_requests_timed_out == 0


def test_a_create_that_was_sent_again_is_known_less_exactly():
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", 404
    )
    magnum.spoilt = [False, False]
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print, clock=lambda: magnum.now)
        life.create()
    record = life.record
    assert record.create_s > 10.0
    assert record.create_resolution_s == record.create_s
    assert record.openstack_errors == {"Magnum: 502": 2}


def test_a_bay_that_was_gone_before_its_delete_has_no_delete_time():
    class Gone(fake_magnum.FakeMagnum):
        def answer(self, method, path, body):
            if method == "DELETE":
                return 404, {"errors": [{"status": 404, "title": "no"}]}
            return super().answer(method, path, body)

    with fake_magnum.bays(Gone("CREATE_COMPLETE")) as bays:
        life = life_of(bays, [])
        life.create()
        life.delete()
    assert life.record.status == "GONE"
    assert life.record.delete_s is None
    assert life.record.delete_resolution_s is None


def test_the_create_and_delete_of_a_bay_are_timed():
    log: list[str] = []
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", "CREATE_COMPLETE", 404
    )
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, log)
        life.create()
        life.delete()
    assert life.record.uuid == "c-1"
    assert life.record.create_s == 1.0
    assert life.record.delete_s == 1.0
    assert life.record.status == "GONE"
    assert life.record.failure == ""
    assert "bay complete after 1.0 s" in log


def test_a_failed_create_stays_in_the_record_after_the_delete():
    failed = {
        "status": "CREATE_FAILED",
        "status_reason": "Maximum resources per stack exceeded",
    }
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", failed, 404)
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, [])
        with pytest.raises(exceptions.BayCreateFailed):
            life.create()
        life.delete()
    assert life.record.create_s is None
    assert life.record.failure == "heat_limit"
    assert "Maximum resources" in life.record.reason
    assert life.record.delete_s is not None


def test_a_refused_bay_needs_no_delete():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.refuse = (
        403,
        "You have reached the maximum clusters per project, 20.",
    )
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, [])
        with pytest.raises(exceptions.BayCreateFailed):
            life.create()
        life.delete()
    assert "DELETE" not in [request[0] for request in magnum.requests]
    assert life.record.failure == "bay_quota"


# A watch is not needed: all nodes are Ready in the first list.
def node(name, ready_at, hollow=False, created_at=None):
    annotations = {"kwok.x-k8s.io/node": "fake"} if hollow else {}
    stamp = datetime.datetime.fromtimestamp(ready_at, datetime.UTC)
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": stamp.isoformat(timespec="seconds"),
    }
    return {
        "metadata": {
            "name": name,
            "annotations": annotations,
            "creationTimestamp": created_at
            and datetime.datetime.fromtimestamp(
                created_at, datetime.UTC
            ).isoformat(timespec="seconds"),
        },
        "status": {"conditions": [ready], "allocatable": {"cpu": "4"}},
    }


VERSION = dict.fromkeys(
    (
        "major",
        "minor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ),
    "1",
)


def script(*nodes):
    listed = {"metadata": {"resourceVersion": "1"}, "items": list(nodes)}
    return {"/api/v1/nodes": [listed], "/version/": [VERSION]}


def ready_life(magnum, nodes, *, dated=True, seen_after_s=600.0):
    """Return a life whose nodes were Ready; the request is a minute old."""
    requested_at = time.time() - 60.0
    clock = itertools.chain([0.0], itertools.repeat(seen_after_s))
    log = []
    with (
        fake_magnum.bays(magnum) as bays,
        fake_api.serve(script(*nodes(requested_at)), dated=dated) as (_, api),
    ):
        life = bay_life.BayLife(
            bays,
            REQUEST,
            log.append,
            clock=lambda: next(clock),
            # At the request, then before and after the request for the date.
            wall_clock=iter([requested_at, *[time.time()] * 2]).__next__,
        )
        life.create()
        life.wait_for_nodes(api)
    return life, log


def test_the_time_at_which_each_node_became_ready_is_recorded():
    life, _ = ready_life(
        fake_magnum.FakeMagnum("CREATE_COMPLETE"),
        lambda start: [
            node("real", start + 20),
            node("hollow", start + 10, hollow=True),
        ],
    )
    record = life.record
    # The header Date and the stamps have whole seconds.
    assert record.node_ready_s["p50"] == pytest.approx(10, abs=2.5)
    assert record.node_ready_s["max"] == pytest.approx(20, abs=2.5)
    # A second each: of the stamps, and of the header.
    assert record.node_ready_resolution_s == pytest.approx(2.0, abs=0.5)
    assert record.nodes_timed == 2
    assert record.nodes_ready_s == 600.0
    # The last node was Ready after 20 s, by its stamp.
    assert record.nodes_ready_resolution_s == pytest.approx(580, abs=2.5)
    assert (record.nodes_real, record.nodes_hollow) == (1, 1)
    assert record.cores_real_nodes == 4.0


def judged(life, **bounds):
    run = records.Run(bays=(life.record,))
    return verdicts.judge("node_ready_time", bounds, run)


@pytest.mark.parametrize("behind_s", [3600, -3600])
def test_nodes_whose_clocks_are_an_hour_off_have_no_percentiles(behind_s):
    life, log = ready_life(
        fake_magnum.FakeMagnum("CREATE_COMPLETE"),
        lambda start: [
            node("good", start + 20),
            node("bad", start + 20 - behind_s),
        ],
    )
    assert life.record.node_ready_s is None
    assert life.record.node_ready_resolution_s is None
    assert life.record.nodes_timed == 0
    why = life.record.node_ready_missing
    assert "1 impossible timestamp of nodes" in why
    assert "bad is Ready by its own clock" in why
    assert any(why in line for line in log)
    for verdict in judged(life, p50_s=1e9, p99_s=1e9):
        assert not verdict.passed
        assert why in verdict.reason
    # What we saw ourselves holds, and no stamp makes it more exact.
    (seen,) = judged(life, max_s=600)
    assert seen.passed
    assert life.record.nodes_ready_resolution_s == 600.0


def test_a_clock_that_is_behind_by_less_than_the_bays_age_is_detected():
    life, _ = ready_life(
        fake_magnum.FakeMagnum("CREATE_COMPLETE"),
        lambda start: [
            node("a", start + 20, created_at=start + 15),
            node("b", start + 20, created_at=start + 50),
        ],
    )
    assert life.record.node_ready_s is None
    assert "b is Ready by its own clock 30" in life.record.node_ready_missing


def test_node_times_are_when_nodes_were_seen_if_the_api_has_no_clock():
    life, log = ready_life(
        fake_magnum.FakeMagnum("CREATE_COMPLETE"),
        lambda start: [node("a", start + 10), node("b", start + 20)],
        dated=False,
    )
    assert set(life.record.node_ready_s.values()) == {600.0}
    assert any("at which nodes were seen Ready" in line for line in log)


def test_the_peak_memory_of_this_process_is_recorded():
    life, _ = ready_life(
        fake_magnum.FakeMagnum("CREATE_COMPLETE"),
        lambda start: [node("a", start), node("b", start)],
    )
    held = psutil.Process().memory_info().rss
    assert 0.5 * held < life.record.client_memory_peak_bytes < 20 * held


def test_the_deadlines_of_the_request_are_enforced():
    wanted = dataclasses.replace(
        REQUEST, deadlines=deadlines.Deadlines(create_s=7, delete_s=9)
    )
    with fake_magnum.bays(fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")) as b:
        life = bay_life.BayLife(b, wanted, print)
        with pytest.raises(exceptions.DeadlineExceeded, match="after 7 s"):
            life.create()
    with fake_magnum.bays(fake_magnum.FakeMagnum("DELETE_IN_PROGRESS")) as b:
        going = bay_life.BayLife(b, wanted, print)
        going.record = life.record
        with pytest.raises(exceptions.DeadlineExceeded, match="after 9 s"):
            going.delete()
    assert life.record.failure == "deadline"


def test_the_record_has_the_templates_name_in_magnum_or_in_the_task():
    magnum = fake_magnum.FakeMagnum("CREATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        found = bay_life.BayLife(bays, REQUEST, print)
        named = bay_life.BayLife(bays, REQUEST, print, template_name="mine")
        found.create()
        named.create()
    assert found.record.template_name == "k8s"
    assert named.record.template_name == "mine"
    assert named.record.template == "t-1"
    assert named.record.driver == ""


def test_the_record_has_the_driver_of_the_template():
    magnum = fake_magnum.FakeMagnum("CREATE_COMPLETE")
    magnum.templates[0]["driver"] = "k8s_capi_helm_v1"
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print)
        life.create()
    assert life.record.driver == "k8s_capi_helm_v1"


def test_no_bay_is_created_if_its_driver_lacks_what_the_task_needs():
    magnum = fake_magnum.FakeMagnum("CREATE_COMPLETE")
    magnum.templates[0]["driver"] = "k8s_capi_helm_v1"
    needed = (drivers.REPLACE_NODES,)
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print, capabilities=needed)
        with pytest.raises(
            exceptions.InvalidInput,
            match="driver k8s_capi_helm_v1 ignores nodes_to_remove.* No bay",
        ):
            life.create()
        assert life.record.uuid == ""
        magnum.templates[0]["driver"] = "a driver that is not known here"
        life.create()


class SigningMagnum(fake_magnum.FakeMagnum):
    """A Magnum that signs every certificate request."""

    def answer(self, method, path, body):
        if path.startswith("/certificates"):
            self.requests.append((method, path, body))
            return 200, {"pem": f"{method} {path}"}
        return super().answer(method, path, body)


@pytest.mark.usefixtures("no_umask")
def test_a_kept_bay_has_a_kubeconfig_that_opens_it(tmp_path):
    log = []
    magnum = SigningMagnum("CREATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, log.append)
        life.create()
        life.keep(tmp_path)
        life.leave()
    path = tmp_path / "rms-1.kubeconfig"
    assert life.kubeconfig == path
    assert path.stat().st_mode & 0o777 == 0o600
    content = yaml.safe_load(path.read_text())
    (cluster,), (user,) = content["clusters"], content["users"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:1"
    key = base64.b64decode(user["user"]["client-key-data"])
    assert b"PRIVATE KEY" in key
    assert str(path) in log[-1]
    assert "openstack coe cluster delete rms-1" in log[-1]
    assert "DELETE" not in [request[0] for request in magnum.requests]


def test_the_delete_of_a_bay_removes_its_kubeconfig(tmp_path):
    magnum = SigningMagnum("CREATE_IN_PROGRESS", "CREATE_COMPLETE", 404)
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print)
        life.create()
        life.keep(tmp_path)
        life.delete()
    assert list(tmp_path.iterdir()) == []
    assert life.record.status == "GONE"


def test_a_kubeconfig_never_replaces_a_file(tmp_path):
    (tmp_path / "rms-1.kubeconfig").write_text("precious")
    magnum = SigningMagnum("CREATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        life = bay_life.BayLife(bays, REQUEST, print)
        life.create()
        with pytest.raises(exceptions.InvalidInput, match="File exists"):
            life.keep(tmp_path)
    assert life.kubeconfig is None
    assert (tmp_path / "rms-1.kubeconfig").read_text() == "precious"


def test_a_certificate_that_is_refused_is_signed_again_by_magnum():
    magnum = SigningMagnum("CREATE_COMPLETE")
    answers = {"/version/": [401, VERSION]}
    with (
        fake_magnum.bays(magnum) as bays,
        fake_api.serve(answers) as (_, api),
    ):
        bay = dataclasses.make_dataclass("Bay", ["uuid", "api_address"])
        cluster = bay("c-1", api.api.configuration.host)
        with bay_life.open_bay(bays, cluster) as opened:
            assert opened.version() == "1"
    signed = [path for method, path, _ in magnum.requests if method == "POST"]
    assert signed == ["/certificates"] * 2
