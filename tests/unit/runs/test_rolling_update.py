"""An update of the targets, followed to its end."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.runs import rolling_update
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload.load_spec import Deadlines
from tests.unit.kube import fake_api
from tests.unit.runs import controlled_disruption
from tests.unit.runs.controlled_disruption import pod

NAMESPACE = "rms-12345678-1-load"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENT = (
    f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/rms-12345678-1-target"
)
OLD = [pod("a", "n1"), pod("b", "n2")]
NEW = [pod("c", "n1", version="2"), pod("d", "n2", version="2")]


pytestmark = pytest.mark.usefixtures("short_waits")


@pytest.fixture
def api():
    script = {CONFIG_MAPS: [{}], DEPLOYMENT: [{}]}
    with fake_api.serve(script) as (fake, cluster):
        yield fake, cluster


def update_of(cluster, **changes):
    wanted = events.RollingUpdate(at_s=3)
    controlled = controlled_disruption.ControlledContext(
        cluster, update=wanted, **changes
    )
    controlled.move(0, pods=OLD, nodes=[])
    return controlled, rolling_update.RollingUpdateDisruption(
        controlled.context, wanted
    )


def test_an_update_ends_with_its_last_old_pod(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    controlled.now = 10.0
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        controlled.move(12, pods=[*OLD, NEW[0]])
        # Being deleted: it no longer serves, but it still exists.
        going = [pod("a", "n1", going=True), OLD[1]]
        controlled.move(13, pods=[*going, NEW[0]])
        controlled.move(15, pods=[*going, *NEW])
        controlled.move(17, pods=[going[0], *NEW])
        controlled.move(21, pods=NEW)
        running.over()
    record = update.record
    assert (record.new_ready_s, record.old_gone_s) == (5.0, 11.0)
    assert record.fewest_ready == 2
    assert [kind for _, kind, _ in controlled.context.happened] == [
        "update_began",
        "update_ended",
    ]
    config_map, change = fake.posted
    assert config_map["metadata"]["name"].endswith("-nginx-2")
    labels = change["spec"]["template"]["metadata"]["labels"]
    assert labels[events.LABEL_VERSION] == "2"
    assert list(change["spec"]) == ["template"]


def test_each_end_of_an_update_has_its_resolution(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: update.record.begun_within_s is not None)
        controlled.move(5, pods=[*OLD, *NEW], late_s=0.25)
        controlled.move(9, pods=NEW, late_s=0.5)
        running.over()
    record = update.record
    assert record.begun_within_s == 0.0
    assert record.new_ready_resolution_s == 0.25
    assert record.old_gone_resolution_s == 0.5


@pytest.mark.parametrize(
    ("late_s", "reasons"),
    [
        (0.9, []),
        (
            1.5,
            [
                "the watch may have reported the end 1.5 s late, so later "
                "requests are counted"
            ],
        ),
    ],
)
def test_a_load_whose_end_was_reported_late_does_not_count(
    api, late_s, reasons
):
    fake, cluster = api
    controlled, update = update_of(cluster)
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: update.record.begun_within_s is not None)
        controlled.move(9, pods=NEW, late_s=late_s)
        running.over()
    found = [controlled_disruption.window(second) for second in range(12)]
    record = update.conclude(controlled_disruption.results_of(found))
    said = [one for one in record.load.reasons if "watch" in one]
    assert said == reasons


def test_an_old_pod_on_a_lost_node_is_not_waited_for(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        controlled.context.lost.add("n1")
        stuck = pod("a", "n1", going=True)
        # Nor does a new one serve there.
        controlled.move(3, pods=[stuck, *NEW])
        running.until(lambda: update._old_gone.observed)
        assert update.record.new_ready_s is None
        controlled.move(5, pods=[stuck, *NEW, pod("e", "n2", version="2")])
        running.over()
    assert running.error is None
    assert (update.record.new_ready_s, update.record.old_gone_s) == (5.0, 3.0)


def test_the_lowest_number_of_ready_pods_is_recorded(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        controlled.move(1, pods=[pod("a", "n1", going=True), OLD[1]])
        controlled.move(2, pods=[pod("c", "n1", version="2", ready=False)])
        controlled.move(3, pods=NEW)
        running.over()
    assert update.record.fewest_ready == 0


def test_the_loads_results_are_counted_by_version(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    controlled.now = 3.0
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        controlled.move(6, pods=NEW)
        running.over()
    windows = [
        controlled_disruption.window(
            2, versions={"1": 100}, failures={"reset": 7}
        ),
        controlled_disruption.window(3, versions={"1": 100}),
        controlled_disruption.window(4, versions={"1": 40, "2": 60}),
        controlled_disruption.window(
            5, versions={"2": 100}, failures={"reset": 1}
        ),
        controlled_disruption.window(6, versions={"2": 100}),
        # What hung has failed after 10 s.
        controlled_disruption.window(16, failures={"timeout": 2}),
        controlled_disruption.window(17, failures={"timeout": 4}),
    ]
    record = update.conclude(controlled_disruption.results_of(windows))
    assert (record.began_s, record.ended_s) == (1003.0, 1006.0)
    assert record.versions == {"1": 140, "2": 160}
    assert record.load.requests == 300
    assert record.load.failures == {"reset": 1, "timeout": 2}
    assert record.load.offered_rps == 100
    assert record.load.rps_per_core_real_nodes == 100 / 8


def test_a_new_pod_that_can_t_start_ends_the_wait(api):
    fake, cluster = api
    controlled, update = update_of(cluster)
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "no image"}}
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        new = pod("c", "n1", version="2", ready=False, state=state)
        controlled.move(1, pods=[*OLD, new])
        running.over()
    assert isinstance(running.error, exceptions.WorkloadError)
    assert "no image" in str(running.error)


def test_an_update_has_a_deadline_and_reports_its_progress(api):
    fake, cluster = api
    controlled, update = update_of(cluster, deadlines=Deadlines(update_s=30))
    with controlled_disruption.RunningDisruption(update) as running:
        running.until(lambda: len(fake.posted) == 2)
        controlled.move(31, pods=[*OLD, NEW[0]])
        running.over_late(controlled)
    assert isinstance(running.error, exceptions.DeadlineExceeded)
    assert "1 of 2 new targets Ready, 2 old targets" in str(running.error)
    record = update.conclude(
        controlled_disruption.results_of([controlled_disruption.window(0)])
    )
    assert (record.began_s, record.ended_s, record.load) == (
        1000.0,
        None,
        None,
    )


def test_a_refused_update_names_the_request():
    script = {CONFIG_MAPS: [{}], DEPLOYMENT: [403]}
    with fake_api.serve(script) as (_, cluster):
        _, update = update_of(cluster)
        with controlled_disruption.RunningDisruption(update) as running:
            running.over()
    assert "update the Deployment rms-12345678-1-target" in str(running.error)
