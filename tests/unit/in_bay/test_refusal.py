"""Locust files that Locust itself can't run."""

import types

import pytest

from rally_magnum_scale.in_bay import refusal
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit.in_bay.processes import of

USER = """
from locust import HttpUser, task

class Asker(HttpUser):
    @task
    def ask(self):
        self.client.get("/")
"""
NO_USER = "Locust finds no user class in it; derive one from HttpUser"

REFUSED = {
    "empty": ("", NO_USER),
    "a_class_that_is_none": ("class SomeUser:\n    pass\n", NO_USER),
    "an_abstract_user": (
        "from locust import User\nclass A(User):\n    abstract = True\n",
        NO_USER,
    ),
    "a_shape": (
        USER + "from locust import LoadTestShape\n"
        "class Waves(LoadTestShape):\n"
        "    def tick(self):\n        return None\n",
        "Waves is a load shape, which would change the number of users",
    ),
    "a_shape_that_is_set_later": (
        USER + "from locust import LoadTestShape, events\n"
        "@events.init.add_listener\n"
        "def set_shape(environment, **_):\n"
        "    class Late(LoadTestShape):\n"
        "        def tick(self):\n            return 1, 1\n"
        "    environment.shape_class = Late()\n",
        "Late is a load shape, which would change the number of users",
    ),
    "an_import_that_fails": (
        USER + "import none_such_at_all\n",
        "Locust can't run it: ModuleNotFoundError: No module named "
        "'none_such_at_all'; only this file is copied",
    ),
    "an_exit": (
        USER + "exit('no\\nmore')\n",
        "Locust can't run it: SystemExit: no more",
    ),
    "no_weight": (
        USER + "    weight = 0\n",
        "Locust can't run it: ValueError: There are no users with weight",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_in_one_sentence_before_any_load(make_bay, name):
    text, words = REFUSED[name]
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 1),
        workers=1,
        locust_file=text,
        users=1,
    )
    if name == "a_shape_that_is_set_later":
        bay.start_worker()
    master = bay.start_master()
    event, end = bay.records(master)
    (reason,) = end["reasons"]
    assert reason.startswith("locust_file: ")
    assert words in reason
    assert (event["kind"], event["detail"]) == ("locust_file_refused", reason)
    assert (end["requests"], end["windows"]) == (0, 0)
    assert master.wait(10) == 0


class Refused(Exception):
    pass


def refuse(clause):
    raise Refused(clause)


def test_a_file_without_users_is_refused_without_pytest():
    def load_tests(path):
        raise ModuleNotFoundError("No module named 'pytest'")

    main = types.SimpleNamespace(
        load_locustfile=lambda path: ({}, []),
        load_locustfile_pytest=load_tests,
        create_environment=None,
    )
    refusal.watch_loading(main, "ours.py", refuse)
    assert main.load_locustfile("own.py") == ({}, [])
    assert main.load_locustfile_pytest("ours.py") == {}
    with pytest.raises(Refused, match=f"^{NO_USER}.*No module named 'pytest'"):
        main.load_locustfile_pytest("own.py")


def test_a_worker_refuses_with_the_same_message(make_bay, free_port):
    bay = make_bay(
        "http://127.0.0.1:1/",
        Step(None, 1),
        workers=1,
        locust_file="",
        users=1,
    )
    # There is no master to wait for.
    worker = bay.start_worker("import os; os.environ['RMS_ROLE'] = ''")
    assert worker.wait(30) == 1
    last = bay.log("worker0").splitlines()[-1]
    assert last.startswith(f"locust_file: {NO_USER}")


TAKEN = {
    "made_by_a_call": (
        "from locust import User, task\n"
        "def ask(user):\n"
        "    user.environment.events.request.fire(request_type='X', name='x',"
        " response_time=1, response_length=0)\n"
        "Asker = type('Asker', (User,), {'tasks': [ask],"
        " 'wait_time': lambda self: 0.1})\n"
    ),
    "functions": (
        "import time\n"
        "def test_ask(session):\n    session.get('/')\n    time.sleep(0.1)\n"
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_everything_that_locust_accepts_as_users_generates_load(
    make_bay, serve, name
):
    bay = make_bay(
        serve().url,
        Step(None, 2),
        workers=1,
        locust_file=TAKEN[name],
        users=2,
    )
    bay.start_worker()
    records = bay.records(bay.start_master())
    end = records[-1]
    assert (end["reasons"], end["failures"]) == ([], {})
    assert end["requests"] > 5
    assert len(of(records, "window")) >= 2
