"""From an openrc file to the variables that it sets."""

import pathlib

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import cloud_descriptions


@pytest.fixture
def logged():
    return []


@pytest.fixture
def read(tmp_path, logged):
    def read_it(text):
        path = tmp_path / "openrc"
        path.write_text(text)
        return cloud_descriptions.read_openrc(path, logged.append)

    return read_it


def test_an_openrc_file_is_read_as_a_shell_does(read, logged):
    found = read(
        "export OS_AUTH_URL=https://cloud:5000/v3 OTHER=1\n"
        "export OS_USERNAME=admin OSPROFILER_HMAC_KEY=key\n"
        "echo noise\n"
        "export OS_PASSWORD='se'\\''cret $HOME'\n"
    )
    assert found == {
        "OS_AUTH_URL": "https://cloud:5000/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": "se'cret $HOME",
        "OSPROFILER_HMAC_KEY": "key",
    }
    assert logged == []


@pytest.mark.parametrize(
    "text",
    ["read -r OS_PASSWORD", "exit 1", "OS_X=$NOT_SET", 'fi"'],
)
def test_an_openrc_file_that_prompts_or_fails_is_refused(read, text):
    with pytest.raises(exceptions.InvalidInput, match="can't be sourced by"):
        read(text)


def test_what_the_shell_prints_is_in_no_message(read):
    with pytest.raises(exceptions.InvalidInput) as caught:
        read("export OS_PASSWORD=se&cret")
    assert "cret" not in str(caught.value)
    assert "Run `sh -eu " in str(caught.value)


def test_an_openrc_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "openrc"
    path.write_bytes("export OTHER=ä OS_PASSWORD=ä".encode("latin-1"))
    with pytest.raises(
        exceptions.InvalidInput, match="OS_PASSWORD in .* is not UTF-8 text"
    ):
        cloud_descriptions.read_openrc(path, lambda line: None)


def test_an_openrc_file_has_the_users_home_but_no_other_cloud(
    read, monkeypatch
):
    monkeypatch.setenv("OS_PROJECT_NAME", "other")
    text = 'export OS_CACERT="$HOME/ca.pem" OS_X="${OS_PROJECT_NAME:-none}"'
    monkeypatch.setenv("HOME", "/home/of-admin")
    assert read(text) == {"OS_CACERT": "/home/of-admin/ca.pem", "OS_X": "none"}
    monkeypatch.delenv("HOME")
    home = str(pathlib.Path.home())
    assert read(text)["OS_CACERT"] == f"{home}/ca.pem"


def test_a_proxy_that_rally_does_not_use_is_logged(read, logged, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy")
    monkeypatch.setenv("no_proxy", "one")
    assert read("export https_proxy=http://proxy no_proxy=$no_proxy,two") == {}
    (line,) = logged
    assert "sets no_proxy, which is ignored" in line
