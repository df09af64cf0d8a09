"""Outstanding requests, and the users that wait for them."""

import types

import gevent
import gevent.event
import gevent.pool
import pytest

from rally_magnum_scale.in_bay.in_flight import InFlight
from rally_magnum_scale.in_bay.in_flight import Users

EVENT = object()


class User:
    """What stands for Locust's class of users.

    :param task: what it does in its only task
    """

    def __init__(self, task, state="running"):
        self._state = state
        self.task = task

    def stop(self):
        assert self._state == "running"
        self._state = "stopping"


class Asking:
    """Users with a client that answers when it is let, at a time of ours."""

    def __init__(self):
        self.now_ns = 10
        self.answers = gevent.event.Event()
        self.in_flight = InFlight(User, EVENT, clock_ns=lambda: self.now_ns)
        self.unreported = []
        self.in_flight.take_unreported = (
            lambda _, error: self.unreported.append(error)
        )
        asking = self

        class Response:
            _catch_response = True

            def __enter__(self):
                return self

            def __exit__(self, exc, value, traceback):
                if exc is None:
                    asking.in_flight.note_event()
                return False

        class Client:
            def __init__(self, user=None, request_event=EVENT):
                self.user = user
                self.request_event = request_event

            def request(self, *, catch_response=False, error=None):
                asking.answers.wait()
                if error:
                    raise error
                if not catch_response:
                    asking.in_flight.note_event()
                    return None
                return Response()

        self.client = Client
        self.in_flight.wrap(Client, Response)
        self._group = gevent.pool.Group()
        self._runner = types.SimpleNamespace(
            user_greenlets=self._group, target_user_count=0
        )
        self._users = Users(self._runner, self.in_flight)

    def start(self, task, *, state="running", has_client=True):
        user = User(task, state)
        if has_client:
            user.client = self.client(user)
        greenlet = self._group.spawn(lambda user: user.task(user), user)
        gevent.sleep(0)
        return greenlet

    def stop_idle(self, end_ns):
        unclear = self._users.stop_idle(end_ns)
        gevent.sleep(0)
        return unclear

    def close(self):
        self._group.kill()


@pytest.fixture
def asking():
    asking = Asking()
    yield asking
    asking.close()


def ask(user):
    user.client.request()
    gevent.sleep(60)


def sleep(_):
    gevent.sleep(60)


def wait(_):
    gevent.event.Event().wait()


def test_a_user_is_stopped_as_soon_as_its_request_has_ended(asking):
    user = asking.start(ask)
    assert asking.stop_idle(20) == 0
    assert len(asking.in_flight.outstanding(20)) == 1
    assert not user.dead
    asking.answers.set()
    gevent.sleep(0)
    assert asking.in_flight.outstanding(20) == []
    assert asking.stop_idle(20) == 0
    assert user.dead
    assert asking.unreported == []


def test_a_request_after_the_plan_is_not_waited_for(asking):
    asking.now_ns = 20
    user = asking.start(ask)
    assert asking.in_flight.outstanding(20) == []
    assert asking.stop_idle(20) == 0
    assert user.dead


def test_a_sleeping_user_is_stopped_at_once(asking):
    user = asking.start(sleep)
    assert asking.stop_idle(20) == 0
    assert user.dead


def test_a_user_between_two_tasks_is_stopped_at_once(asking):
    user = asking.start(wait, state="waiting", has_client=False)
    assert asking.stop_idle(20) == 0
    assert user.dead


@pytest.mark.parametrize(
    ("task", "has_client"), [(sleep, False), (wait, False), (wait, True)]
)
def test_a_user_of_an_unknown_client_ends_by_itself(asking, task, has_client):
    user = asking.start(task, has_client=has_client)
    assert [asking.stop_idle(20) for _ in range(3)] == [1, 1, 1]
    assert not user.dead
    assert user.args[0]._state == "stopping"


def test_an_unknown_clients_event_marks_its_class_of_users(asking):
    def fire(user):
        asking.in_flight.note_event()
        sleep(user)

    asking.start(fire)
    asking.start(sleep)
    assert asking.stop_idle(20) == 2


def test_an_event_without_a_user_marks_all_users(asking):
    gevent.spawn(asking.in_flight.note_event).join()
    asking.start(sleep)
    assert asking.stop_idle(20) == 1


def test_a_call_without_a_user_belongs_to_the_greenlets_user(asking):
    client = asking.client()

    def ask_by_it(user):
        client.request()
        sleep(user)

    user = asking.start(ask_by_it, has_client=False)
    assert asking.stop_idle(20) == 0
    assert not user.dead
    asking.answers.set()
    gevent.sleep(0)
    assert asking.stop_idle(20) == 0
    assert user.dead


def test_concurrent_requests_belong_to_their_user(asking):
    def ask_twice(user):
        both = gevent.pool.Group()
        both.spawn(user.client.request)
        both.spawn(user.client.request)
        gevent.sleep(60)

    user = asking.start(ask_twice)
    gevent.sleep(0)
    assert len(asking.in_flight.outstanding(20)) == 2
    assert asking.stop_idle(20) == 0
    assert not user.dead


def test_a_request_has_ended_when_its_block_has(asking):
    asking.answers.set()
    client = asking.client()
    with client.request(catch_response=True):
        (call,) = asking.in_flight.outstanding(20)
        assert call.answered
        with client.request(catch_response=True):
            assert len(asking.in_flight.outstanding(20)) == 2
        assert asking.in_flight.outstanding(20) == [call]
    assert asking.in_flight.outstanding(20) == asking.unreported == []


def test_an_error_that_leaves_a_block_is_reported(asking):
    asking.answers.set()
    error = AssertionError()
    with (
        pytest.raises(AssertionError),
        asking.client().request(catch_response=True),
    ):
        raise error
    assert asking.unreported == [error]
    assert asking.in_flight.outstanding(20) == []


def test_an_error_of_a_request_is_reported(asking):
    asking.answers.set()
    error = KeyError()
    with pytest.raises(KeyError):
        asking.client().request(error=error)
    assert asking.unreported == [error]
    assert asking.in_flight.outstanding(20) == []


def test_events_of_another_environment_are_ignored(asking):
    asking.answers.set()
    client = asking.client(request_event=object())
    with client.request(catch_response=True):
        assert asking.in_flight.outstanding(20) == []
    assert asking.unreported == []
