"""The master against workers that are functions: no Locust, no network."""

import json
import os
import socket
import time
import types

import gevent.event
import pytest

from rally_magnum_scale.in_bay import master
from rally_magnum_scale.in_bay import messages
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from tests.unit import loads

WORKERS = ("one", "two")
OUTCOME = {"requests": 10, "failures": {}, "due": [10], "late_s": 0.0}


class Hook:
    """One of Locust's events."""

    def __init__(self):
        self.listeners = []

    def add_listener(self, listener):
        self.listeners.append(listener)


class Runner:
    """A Locust master's runner whose workers answer at once.

    :param first_answers: worker to the number of the first clock probe
        that it answers, from 1; a worker without one never answers
    """

    def __init__(self, first_answers):
        self.clients = {
            name: types.SimpleNamespace(id=name, state="running")
            for name in WORKERS
        }
        self.probes = 0
        self.quitted = gevent.event.Event()
        self._first_answers = first_answers
        self._take = {}

    def register_message(self, kind, take):
        self._take[kind] = take

    def send_message(self, kind, data, client_id=None):
        if kind == messages.CLOCK:
            self.probes += 1
            for name, first in self._first_answers.items():
                if self.probes >= first:
                    answer = {
                        **data,
                        "worker_s": data["master_s"],
                        "cpus": "0-1",
                    }
                    self._answer(messages.CLOCK_ANSWER, name, answer)
        elif kind == messages.START:
            window = Window(data["start_second"], "steady", 1, 1, 10)
            self._answer(
                messages.DONE,
                client_id,
                {"windows": [window.packed()], "outcome": OUTCOME},
            )

    def _answer(self, kind, name, data):
        message = types.SimpleNamespace(node_id=name, data=data)
        self._take[kind](environment=None, msg=message)

    def quit(self):
        self.quitted.set()


def conduct(first_answers, capfd, clock_deadline_s=0.5):
    """Carry out a run of one second; return its runner and records."""
    runner = Runner(first_answers)
    events = types.SimpleNamespace(
        worker_report=Hook(), spawning_complete=Hook(), quitting=Hook()
    )
    environment = types.SimpleNamespace(
        runner=runner, events=events, shape_class=None
    )
    job = loads.job(
        "http://127.0.0.1:1/",
        Step(20, 1),
        worker_processes=2,
        clock_deadline_s=clock_deadline_s,
        lead_s=0.0,
    )
    master.Master(environment, job).install()
    for listener in events.spawning_complete.listeners:
        listener()
    assert runner.quitted.wait(20)
    lines = capfd.readouterr().out.splitlines()
    return runner, [json.loads(line) for line in lines]


def test_clocks_are_probed_three_times(capfd):
    runner, records = conduct({"one": 1, "two": 1}, capfd)
    assert [one["record"] for one in records] == ["start", "window", "end"]
    assert records[-1]["reasons"] == []
    assert runner.probes == master.CLOCK_PROBES


def test_the_start_record_has_the_cpus_of_each_pod(capfd):
    before_s = time.time()
    _, records = conduct({"one": 1, "two": 1}, capfd)
    start, window, _ = records
    cpus = cpusets.by_name(start["cpus"])
    assert cpus == {
        socket.gethostname(): frozenset(os.sched_getaffinity(0)),
        "one": frozenset({0, 1}),
        "two": frozenset({0, 1}),
    }
    assert start["second"] == window["second"]
    assert before_s - 1 < start["written_s"] < time.time() + 1


def test_a_late_clock_answer_is_waited_for(capfd):
    runner, records = conduct(
        {"one": 1, "two": 5}, capfd, clock_deadline_s=20.0
    )
    assert records[-1]["reasons"] == []
    assert runner.probes == 5


@pytest.mark.parametrize(
    ("first_answers", "silent"), [({"one": 1}, 1), ({}, 2)]
)
def test_a_clock_that_never_answers_makes_the_run_invalid(
    capfd, first_answers, silent
):
    _, records = conduct(first_answers, capfd)
    kinds = [one["kind"] for one in records if one["record"] == "event"]
    assert kinds == ["clock_unknown"]
    assert records[-1]["reasons"] == [
        f"{silent} of 2 workers did not report their time within 0.5 s, so "
        "their clocks may differ from the master's"
    ]
