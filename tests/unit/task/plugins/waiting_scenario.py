"""A scenario that waits and cleans up, for the test of the runners."""

import pathlib
import time

from rally.task import scenario

from rally_magnum_scale import interruption


@scenario.configure(
    name="WaitingTest.wait",
    context={"interruption@openstack": {}, "leftovers@openstack": {}},
)
class Wait(scenario.Scenario):
    """Write a file, wait, write another one on the way out."""

    def run(self, folder: str) -> None:
        """Wait until interrupted.

        :param folder: where the files are written
        """
        own = pathlib.Path(folder)
        number = self.context["iteration"]
        (own / f"started-{number}").touch()
        try:
            interruption.sleep(120)
        finally:
            with interruption.deferred():
                interruption.sleep(0.5)
            (own / f"removed-{number}").write_text(str(time.time()))
            interruption.wait_acknowledged()
