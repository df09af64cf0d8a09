"""A scenario whose processes are killed, for the test of lost iterations."""

import importlib
import os
import signal

from rally.common import opts
from rally.task import scenario

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.task import output
from rally_magnum_scale.task.contexts import setting

# Rally loads this before the packages whose options our scenarios read.
opts.register_options_from_path("rally_openstack.common.cfg.opts:list_opts")
measured = importlib.import_module(
    "rally_magnum_scale.task.scenarios.measured"
)


@scenario.configure(name="DyingTest.die", context={"setting@openstack": {}})
class Die(scenario.Scenario):
    """Record a bay that was made quickly, if nothing happens before."""

    def run(self, killed: int = 0, failed: int = 0) -> None:
        """Record a bay.

        :param killed: number of the iteration whose process is killed
        :param failed: number of the iteration that fails after its record
        """
        number = self.context["iteration"]
        if number == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        source = records.Source(self.task["uuid"], number, "bay")
        told = self.context[setting.KEY]
        asked = conditions.record("", self.get_name(), {}, **told)
        bay = bay_records.Bay(
            "uuid",
            "template",
            2,
            nodes_real=2,
            nodes_hollow=0,
            create_s=1.0,
            nodes_ready_s=2.0,
        )
        found = {"conditions": asked, "bay": bay}
        self.add_output(
            complete=output.records_output(
                source.envelope(kind, one.to_json())
                for kind, one in found.items()
            )
        )
        if number == failed:
            raise RuntimeError("it broke at last")


measured.MEASURED[Die] = frozenset({"bay_create_time"})
