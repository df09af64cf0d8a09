import base64
import http.server
import json
import sys
import threading
import traceback

import pytest
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from tests.unit.kube import test_client


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("Authorization", "")
        self.server.tokens.append(token)
        good = token == self.server.wanted
        text = json.dumps(test_client.ANSWER if good else {}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.wanted, made.tokens = "Bearer first", []
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def write(path, port, token="first", *, user=None, proxy=None):
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bay",
        "clusters": [
            {
                "name": "bay",
                "cluster": {
                    "server": f"http://127.0.0.1:{port}",
                    **({"proxy-url": proxy} if proxy else {}),
                },
            }
        ],
        "users": [{"name": "me", "user": user or {"token": token}}],
        "contexts": [
            {"name": "bay", "context": {"cluster": "bay", "user": "me"}}
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize("context", [None, "bay"])
def test_a_bay_is_opened_by_its_kubeconfig(server, tmp_path, context):
    path = write(tmp_path / "config", server.server_port)
    with client.connect_kubeconfig(path, context) as cluster:
        assert cluster.version() == "v1.33.1"
    assert server.tokens == ["Bearer first"]


def test_a_token_that_ends_is_read_again_from_the_file(server, tmp_path):
    path = tmp_path / "config"
    write(path, server.server_port)
    with client.connect_kubeconfig(str(path)) as cluster:
        assert cluster.version() == "v1.33.1"
        write(path, server.server_port, "second")
        server.wanted = "Bearer second"
        assert cluster.version() == "v1.33.1"
        assert cluster.version() == "v1.33.1"
    assert server.tokens == [
        *["Bearer first"] * 2,
        *["Bearer second"] * 2,
    ]


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        (None, None, "no such file"),
        ("{", None, "can't be used"),
        ("[]", None, "can't be used"),
        ("just words", None, "can't be used"),
        ("{}", None, "can't be used"),
        ("good", "other", "with the context 'other'"),
    ],
)
def test_a_wrong_kubeconfig_is_named(tmp_path, content, context, words):
    path = tmp_path / "config"
    if content == "good":
        write(path, 1)
    elif content is not None:
        path.write_text(content)
    with (
        pytest.raises(
            exceptions.InvalidInput, match=f"kubeconfig: .*{words}"
        ) as caught,
        client.connect_kubeconfig(str(path), context),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("token: first", "token: *hunter2", "not YAML in .*line 17"),
        ("token: first", "token: !hunter2 a", "not YAML in .*line 17"),
        ("token: first", "token: {hunter2", "not YAML in "),
        ("http://proxy", "http://me:hunter2#@proxy", "an invalid proxy-url"),
        ("http://proxy", "htp://me:hunter2@proxy", "an invalid proxy-url"),
    ],
)
def test_a_secret_in_an_invalid_kubeconfig_is_not_repeated(
    tmp_path, old, new, words
):
    path = tmp_path / "config"
    write(path, 1, proxy="http://proxy")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with (
        pytest.raises(exceptions.InvalidInput, match=words) as caught,
        client.connect_kubeconfig(str(path)),
    ):
        pass
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def plugin(script):
    """A user whose credentials come from an exec plugin."""
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/bin/sh",
            "args": ["-c", script],
        }
    }


def test_an_exec_plugin_gives_the_token(server, tmp_path):
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "first"},
    }
    user = plugin(f"echo '{json.dumps(credential)}'")
    path = write(tmp_path / "config", server.server_port, user=user)
    with client.connect_kubeconfig(path) as cluster:
        assert cluster.version() == "v1.33.1"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (
            plugin("echo 'the login' >&2; echo 'has expired' >&2; exit 3"),
            "process returned 3. the login has expired",
        ),
        (plugin("echo '{}'"), "missing key 'apiVersion'"),
        ({"exec": {"command": "/nowhere", "apiVersion": "v1"}}, "/nowhere"),
    ],
)
def test_a_failed_exec_plugin_is_refused_with_its_words(tmp_path, user, words):
    path = write(tmp_path / "config", 1, user=user)
    with (
        pytest.raises(exceptions.InvalidInput, match=words) as caught,
        client.connect_kubeconfig(path),
    ):
        pass
    assert str(caught.value).startswith(f"kubeconfig: {path!r} can't be used")


def auth_provider(name, **config):
    """A user whose credentials come from an auth-provider."""
    return {"auth-provider": {"name": name, "config": config}}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("gcp2", {"access-token": "first"}),
        ("oidc", {"id-token": "no JWT"}),
    ],
)
def test_an_auth_provider_without_credentials_is_refused(
    tmp_path, name, config
):
    user = auth_provider(name, **config)
    path = write(tmp_path / "config", 1, user=user)
    with (
        pytest.raises(
            exceptions.InvalidInput,
            match=f"^kubeconfig: .*{name}.* a token, a client certificate or "
            "an exec plugin",
        ),
        client.connect_kubeconfig(path),
    ):
        pass


def test_an_auth_provider_that_fails_is_refused_with_its_words(tmp_path):
    script = tmp_path / "login"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o700)
    user = auth_provider("gcp", **{"cmd-path": str(script)})
    path = write(tmp_path / "config", 1, user=user)
    with (
        pytest.raises(exceptions.InvalidInput, match="login"),
        client.connect_kubeconfig(path),
    ):
        pass


def test_a_token_in_a_wrong_kubeconfig_is_not_repeated(tmp_path):
    user = auth_provider("oidc", **{"refresh-token": "s3cret"})
    path = write(tmp_path / "config", 1, user={**user, "token": "s3cret"})
    with (
        pytest.raises(exceptions.InvalidInput, match="id-token") as caught,
        client.connect_kubeconfig(path),
    ):
        pass
    assert "s3cret" not in str(caught.value)


def test_the_issuer_of_an_auth_provider_may_be_unreachable(tmp_path):
    claims = base64.urlsafe_b64encode(b'{"exp": 1, "a": 1}').decode()
    user = auth_provider(
        "oidc",
        **{
            "id-token": f"a.{claims.rstrip('=')}.c",
            "idp-issuer-url": "http://127.0.0.1:1",
        },
    )
    path = write(tmp_path / "config", 1, user=user)
    with (
        pytest.raises(exceptions.InvalidInput, match="can't be used"),
        client.connect_kubeconfig(path),
    ):
        pass


@pytest.mark.parametrize("name", ["gcp", "gcp2"])
def test_an_auth_provider_may_stand_beside_a_token(server, tmp_path, name):
    user = auth_provider(name, **{"access-token": "first"})
    user["token"] = "first"
    path = write(tmp_path / "config", server.server_port, user=user)
    with client.connect_kubeconfig(path) as cluster:
        assert cluster.version() == "v1.33.1"
    assert server.tokens == ["Bearer first"]


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.DependencyWarning")
def test_a_socks_proxy_needs_a_library(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    path = write(tmp_path / "config", 1, proxy="socks5://127.0.0.1:1")
    with (
        pytest.raises(exceptions.MissingExtra, match="pip install PySocks"),
        client.connect_kubeconfig(path),
    ):
        pass


def test_the_home_directory_is_expanded(monkeypatch, server, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "config", server.server_port)
    with client.connect_kubeconfig("~/config") as cluster:
        assert cluster.version() == "v1.33.1"
