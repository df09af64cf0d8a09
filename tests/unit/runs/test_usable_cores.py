import pytest

from tests.unit.runs.scripted_load import BASE
from tests.unit.runs.scripted_load import PREFIX
from tests.unit.runs.scripted_load import WINDOWS
from tests.unit.runs.scripted_load import Run
from tests.unit.runs.scripted_load import end
from tests.unit.runs.scripted_load import listed
from tests.unit.runs.scripted_load import log_of
from tests.unit.runs.scripted_load import node_pages
from tests.unit.runs.scripted_load import pod
from tests.unit.runs.scripted_load import script_of
from tests.unit.runs.scripted_load import start

pytestmark = pytest.mark.usefixtures("short_waits")


def test_usable_cores_are_those_that_the_workers_see():
    unlimited = pod("worker", 4)
    unlimited["spec"]["containers"][0]["resources"] = {}
    sees = start(cpus={"0,2": [f"{PREFIX}-worker-4"]})
    log = [[*log_of(sees, *WINDOWS, end()), "END"]]
    run = Run(
        script_of(
            log,
            **node_pages([403], [403]),
            **{f"{BASE}/pods?worker": [listed(unlimited)]},
        )
    )
    # Two that the worker sees, and the limit of the master.
    assert run.found.throughput.cores_of["generators"] == 3.0
    # Those of the targets are unknown: no command can be run in them.
    assert not run.found.throughput.cpus_seen
    assert any(
        line.startswith("can't read which processors the targets can use")
        and "403" in line
        for line in run.log
    )
