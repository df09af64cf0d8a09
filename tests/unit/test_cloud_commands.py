"""Exit statuses, logins and tables of the commands."""

import pytest
from rally import plugins

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import reading
from tests.unit.task import fake_tenants


def test_the_status_of_a_command_that_works():
    assert cloud_commands.run("program", lambda: 7) == 7


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (exceptions.InvalidInput("no such file"), 2, "no such file"),
        (reading.Unreadable("no login"), 3, "no login"),
        (ZeroDivisionError(), 3, "report it"),
    ],
)
def test_an_error_has_a_status_of_its_own(capsys, error, status, words):
    def fail():
        raise error

    assert cloud_commands.run("program", fail) == status
    told = capsys.readouterr().err
    assert told.startswith("program: ")
    assert words in told


@pytest.mark.filterwarnings(
    # keystoneauth leaves it to the interpreter to close a connection.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
def test_a_login():
    # As the commands do: it registers the options that a login reads.
    plugins.load()
    with fake_tenants.serve() as cloud, retries.patience(0.0):
        given = fake_tenants.credentials(cloud)
        session, region, interface = cloud_commands.log_in(given)
        assert session.get_token() == "token"
        assert (region, interface) == ("R", "public")
        cloud.down = True
        with pytest.raises(reading.Unreadable, match="Keystone answered"):
            cloud_commands.log_in(given)


def test_the_columns_of_a_table_are_aligned():
    rows = [("what", "need", "why"), ("a", "1", ""), ("b", "", "a long one")]
    assert cloud_commands.table(rows) == [
        "what  need  why",
        "a     1",
        "b           a long one",
    ]
