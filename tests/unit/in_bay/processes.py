"""A real Locust master and real workers, started from the manifests.

The code runs from a folder that is laid out as the ConfigMap's volume is,
with the arguments and variables of the pods.  The package in it is the same
for all loads, so they share one, and compile it once.
"""

import json
import os
from pathlib import Path

from rally_magnum_scale.workload import locust_pods
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx
from tests.unit.in_bay.locust_processes import LocustProcess

DEADLINE_S = 180
# Locust's workers report every 3 s, which a test need not wait for.
REPORTING_OFTEN = (
    "import locust.runners; locust.runners.WORKER_REPORT_INTERVAL = 0.5"
)
TARGET = f"http://127.0.0.1:{nginx.PORT}"


class Bay:
    """The pods of a load as processes of this machine.

    :param code: folder for the package, which all loads share
    :param service_ip: address of the Services of the targets and the master
    """

    def __init__(
        self, folder, code, spec, url, master_port, orders, service_ip
    ):
        self._orders = orders
        self._code = code
        self.processes = []
        self.spec = spec
        self._read = []
        self._folder = folder
        self._port = str(master_port)
        self._url = url
        self.addresses = None
        foundation = manifests.foundation(spec)
        pod, job = manifests.load(
            spec, target_ip=service_ip, master_ip=service_ip
        )
        self._mount(foundation[0]["data"], pod["spec"]["volumes"][0])
        self._master = pod["spec"]["containers"][0]
        self._worker = job["spec"]["template"]["spec"]["containers"][0]

    def start_master(self, before=""):
        return self._start(self._master, "master", before)

    def start_worker(self, before=""):
        """Start the processes of one worker pod.

        :param before: Python that runs before Locust's command does
        """
        name = f"worker{len(self.processes)}"
        return self._start(self._worker, name, before)

    def log(self, name):
        return (self._folder / f"{name}.log").read_text()

    def records(self, master):
        out, _ = master.communicate(timeout=DEADLINE_S)
        lines = b"".join([*self._read, out]).decode().splitlines()
        assert all(line.startswith('{"record":') for line in lines)
        return [json.loads(line) for line in lines]

    def first_window(self, master, step=1):
        """Wait until a step has begun; return its first window."""
        while True:
            window = self._wait_for("window", master)
            if window["step"] == step:
                return window

    def wait_for_start(self, master):
        """Wait until the master has written when the run begins."""
        return self._wait_for("start", master)

    def _wait_for(self, kind, master):
        """Keep what is read: it is part of the records."""
        for line in iter(master.stdout.readline, b""):
            self._read.append(line)
            record = json.loads(line)
            if record["record"] == kind:
                return record
        raise AssertionError(f"The master ended before its first {kind}.")

    def _mount(self, data, volume):
        package = locust_pods.PACKAGE.name
        for item in volume["configMap"]["items"]:
            in_package = Path(item["path"]).parts[0] == package
            path = (self._code if in_package else self._folder) / item["path"]
            if not path.exists() or not in_package:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(data[item["key"]], encoding="utf-8")
        if not (self._folder / package).exists():
            (self._folder / package).symlink_to(self._code / package)

    def _start(self, container, name, before):
        environment = {e["name"]: e["value"] for e in container["env"]}
        if "RMS_MASTER_PORT" in environment:
            environment["RMS_MASTER_PORT"] = self._port
        if "RMS_JOB" in environment:
            job = json.loads(environment["RMS_JOB"])
            changes = {"url": self._url, "lead_s": 1.0}
            if self.addresses:
                changes["addresses"] = self.addresses
            environment["RMS_JOB"] = json.dumps({**job, **changes})
        arguments = [
            one.replace(locust_pods.CODE_ROOT, str(self._folder))
            .replace(str(locust_pods.MASTER_PORT), self._port)
            .replace(TARGET, self._url.rstrip("/"))
            for one in container["args"]
        ]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = LocustProcess(
                self._orders,
                arguments,
                env={**os.environ, **environment},
                folder=self._folder,
                err=log,
                out=None if name == "master" else log,
                before=before,
            )
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.close()


def of(records, name):
    return [one for one in records if one["record"] == name]
