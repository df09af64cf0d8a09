"""An ordinary Locust file: it runs as well with ``locust -f``.

The host that its users ask is given by the task.
"""

from locust import FastHttpUser
from locust import constant_throughput
from locust import task


class Visitor(FastHttpUser):
    """Looks ten times a second, less often when answers take longer."""

    wait_time = constant_throughput(10)

    @task
    def look(self) -> None:
        """Ask for the only page that the targets have."""
        self.client.get("/")
