import http.server
import json
import threading

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


def write(path, port, token="first"):
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bay",
        "clusters": [
            {
                "name": "bay",
                "cluster": {"server": f"http://127.0.0.1:{port}"},
            }
        ],
        "users": [{"name": "me", "user": {"token": token}}],
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
