"""The Locust master: starts all workers at one second, prints the records.

Standard output contains only our records, one JSON object per line that
begins with ``{"record":``.  Locust's own log goes to standard error.
"""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import time
from typing import Any

import gevent

from rally_magnum_scale.in_bay import master_limits
from rally_magnum_scale.in_bay import messages
from rally_magnum_scale.in_bay import refusal
from rally_magnum_scale.in_bay.collector import Collector
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats.records import Trial
from rally_magnum_scale.in_bay.stats.steps import Plan

POLL_EVERY_S = 0.2
CLOCK_PROBES = 3
CLOCK_PROBE_EVERY_S = 0.2
# The master sends the orders one after the other, while reports arrive.
ORDER_EACH_S = 0.002
# Locust gives up a worker after three missed heartbeats, one per second.
LOST_STATE = "missing"
BEHIND_MAX_S = 3.0
STDOUT_FD = 1
FILE_REFUSED = "locust_file_refused"


class Master:
    """Controls one run.

    :param environment: Locust's environment
    :param job: the run
    """

    def __init__(self, environment: Any, job: Job) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._job = job
        self._collector = Collector(job)
        self._spawned = False
        self._ended = False
        # By worker: the round trip and the skew of its best probe.
        self._probes: dict[str, tuple[float, float]] = {}
        # By process, this one and each worker, with the names from Locust.
        self._cpus = {
            f"{socket.gethostname()}_": cpusets.write(os.sched_getaffinity(0))
        }
        self._read_late_s = math.inf
        self._workers: list[str] = []

    def install(self) -> None:
        """Register the listeners, and start to control the run."""
        events, runner = self._environment.events, self._runner
        runner.register_message(messages.CLOCK_ANSWER, self._take_clock)
        runner.register_message(messages.DONE, self._take_done)
        runner.register_message(messages.REFUSED, self._take_refused)
        runner.register_message(messages.BROKEN, self._take_broken)
        events.worker_report.add_listener(self._take_report)
        events.spawning_complete.add_listener(self._note_spawned)
        events.quitting.add_listener(self._quitting)
        gevent.spawn(self._conduct)

    def _conduct(self) -> None:
        try:
            master_limits.raise_open_files(self._job.worker_processes)
            if self._wait_for_workers():
                self._workers = sorted(
                    client.id
                    for client in self._runner.clients.values()
                    if client.state != LOST_STATE
                )
                self._probe_clocks()
                self._run_plan()
                self._end()
                # The records say whether the run is invalid; an exit status
                # other than 0 means that there are no records.
                self._environment.process_exit_code = 0
                self._runner.quit()
            else:
                self._end()
                self._runner.quit()
                # Locust would go on waiting for the missing workers in
                # its main greenlet, where nothing can end it.
                os._exit(0)
        except Exception:
            sys.excepthook(*sys.exc_info())
            os._exit(3)

    def _wait_for_workers(self) -> bool:
        """Wait until Locust has found all workers and spawned the users."""
        end_s = time.monotonic() + self._job.connect_deadline_s
        while not self._spawned:
            if time.monotonic() > end_s:
                self._collector.begin(self._runner.clients, 0)
                return False
            if self._refuse_shape():
                return False
            gevent.sleep(POLL_EVERY_S)
        return True

    def _refuse_shape(self) -> bool:
        """Refuse a load shape that a user's Locust file has set."""
        shape = self._environment.shape_class
        if shape is not None:
            reason = f"locust_file: {refusal.load_shape(shape)}"
            self._collector.refuse(int(time.time()), FILE_REFUSED, reason)
        return shape is not None

    def _run_plan(self) -> None:
        """Run the plan, or the steps of a search until it has a result."""
        search = self._job.traffic.search
        if search is None:
            self._start(self._job.traffic.plan)
            self._follow()
            return
        done: list[Trial] = []
        while (
            trial := rate_search.next_trial(search, done)
        ) and not self._collector.reasons:
            _print_records([self._collector.trial(trial.to_json())])
            self._start(
                rate_search.plan(trial), steps_before=trial.step - 1, more=True
            )
            self._follow()
            judged = rate_search.judge(
                search,
                trial,
                self._collector.step_windows,
                self._collector.step_due,
                len(self._workers),
            )
            done.append(judged)
            if not self._collector.waiting_for:
                _print_records([self._collector.trial(judged.to_json())])

    def _start(
        self, plan: Plan, *, steps_before: int = 0, more: bool = False
    ) -> None:
        workers = self._workers
        lead_s = self._job.lead_s + ORDER_EACH_S * len(workers)
        start_second = math.ceil(time.time() + lead_s)
        self._collector.begin(workers, start_second, plan, steps_before)
        if not steps_before:
            skews_s = {
                one: skew_s for one, (_, skew_s) in self._probes.items()
            }
            self._collector.check_clocks(start_second, skews_s)
        _print_records([self._collector.start(time.time(), self._cpus)])
        job = self._job.for_plan(plan)
        order = {
            "start_second": start_second,
            "workers": len(workers),
            "more": more,
        }
        for index, worker in enumerate(workers):
            own = job.share(index).to_json()
            self._runner.send_message(
                messages.START,
                {**order, "worker": index, "job": own},
                client_id=worker,
            )
        self._deadline_s = (
            start_second
            + plan.total_s
            + job.traffic.timeout_s
            + job.traffic.lateness_s
        )

    def _probe_clocks(self) -> None:
        """Probe the clocks of all workers until each has answered once.

        On a busy machine an answer may take seconds.  The master waits for
        each worker, so that only a silent worker makes the run invalid.
        """
        end_s = time.monotonic() + self._job.clock_deadline_s
        probes = 0
        while probes < CLOCK_PROBES or (
            set(self._workers) - self._probes.keys()
            and time.monotonic() < end_s
        ):
            self._runner.send_message(
                messages.CLOCK, {"master_s": time.time()}
            )
            gevent.sleep(CLOCK_PROBE_EVERY_S)
            probes += 1

    def _follow(self) -> None:
        """Print records until all workers have finished, died or timed out."""
        self._read_late_s = math.inf
        polled_s = time.monotonic()
        while self._collector.waiting_for and time.time() < self._deadline_s:
            gevent.sleep(POLL_EVERY_S)
            if self._ended:
                # The run was stopped meanwhile; no record may follow its end.
                return
            # Measured from poll to poll, because the work between two polls
            # can also stall.
            before_s, polled_s = polled_s, time.monotonic()
            if self._is_behind(polled_s - before_s - POLL_EVERY_S):
                # Unread reports must not count as missing.
                continue
            self._collector.note_cpu(time.time(), time.process_time())
            self._look_for_dead()
            _print_records(self._collector.records(time.time()))

    def _is_behind(self, late_s: float) -> bool:
        """Check whether this process is behind its workers.

        A master that reads heartbeats later than Locust waits for them can't
        distinguish living workers from dead ones.

        :param late_s: delay of the current poll
        """
        read_late_s, self._read_late_s = self._read_late_s, math.inf
        second = int(time.time())
        if late_s > BEHIND_MAX_S:
            self._collector.behind(second, f"it stalled for {late_s:.1f} s")
            return True
        if BEHIND_MAX_S < read_late_s < math.inf:
            self._collector.behind(
                second,
                f"it read reports {read_late_s:.1f} s after they were sent",
            )
        return False

    def _look_for_dead(self) -> None:
        clients = self._runner.clients
        for worker in sorted(self._collector.waiting_for):
            client = clients.get(worker)
            if client is None or client.state == LOST_STATE:
                self._collector.died(worker, int(time.time()))

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            _print_records(self._collector.end(int(time.time())))

    def _quitting(self, **_: Any) -> None:
        if not self._ended:
            self._collector.fail(
                int(time.time()),
                "stopped",
                "the Locust master was stopped before the end of the plan",
            )
            self._end()

    def _note_spawned(self, **_: Any) -> None:
        self._spawned = True

    def _take_report(self, client_id: str, data: dict[str, Any]) -> None:
        _, skew_s = self._probes.get(client_id, (0.0, 0.0))
        if (sent_s := data.get(messages.SENT_KEY)) is not None:
            # The smallest delay between two polls, because the master is
            # not responsible for the slow network of one worker.
            late_s = time.time() - (sent_s - skew_s)
            self._read_late_s = min(self._read_late_s, late_s)
        self._collector.add(client_id, data.get(messages.WINDOWS_KEY, []))

    def _take_done(self, msg: Any, **_: Any) -> None:
        self._collector.add(msg.node_id, msg.data["windows"])
        self._collector.done(
            msg.node_id, int(time.time()), msg.data["outcome"]
        )

    def _take_refused(self, msg: Any, **_: Any) -> None:
        self._collector.fail(
            int(time.time()),
            "second_engine_refused",
            f"Locust moved a dead worker's user to worker {msg.node_id}",
        )

    def _take_broken(self, msg: Any, **_: Any) -> None:
        second = int(time.time())
        self._collector.note(second, "engine_broke", msg.data["error"])
        self._collector.died(msg.node_id, second)

    def _take_clock(self, msg: Any, **_: Any) -> None:
        now_s, sent_s = time.time(), msg.data["master_s"]
        self._cpus[msg.node_id] = msg.data.get("cpus", "")
        # The probe with the shortest round trip is the most accurate, as in
        # NTP.
        probe = (
            now_s - sent_s,
            msg.data["worker_s"] - (now_s + sent_s) / 2,
        )
        before = self._probes.get(msg.node_id, probe)
        self._probes[msg.node_id] = min(before, probe)


def write_refusal(job: Job, reason: str) -> None:
    """Write the records of a run that can't start because of a user's file.

    :param reason: a clause without a full stop
    """
    collector = Collector(job)
    second = int(time.time())
    collector.refuse(second, FILE_REFUSED, reason)
    _print_records(collector.end(second))


def _print_records(records: list[dict[str, Any]]) -> None:
    for record in records:
        text = json.dumps(record, separators=(",", ":")) + "\n"
        _write(text.encode())


def _write(data: bytes) -> None:
    """Write without Python's buffer, so that no line is written partly."""
    while data:
        data = data[os.write(STDOUT_FD, data) :]
