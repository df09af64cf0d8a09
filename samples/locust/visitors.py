"""An ordinary Locust file, which also runs with ``locust -f``.

The task sets the host of its users.
"""

from locust import FastHttpUser
from locust import constant_throughput
from locust import task


class Visitor(FastHttpUser):
    """Sends ten requests per second, fewer when answers take longer."""

    wait_time = constant_throughput(10)

    @task
    def look(self) -> None:
        """Request the only page that the targets have."""
        self.client.get("/")
