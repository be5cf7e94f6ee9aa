"""Downloads from a server on this machine: whole, broken off, another file, no server."""

from __future__ import annotations

import hashlib
import io
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from radiobone.core.errors import ModelError
from radiobone.features.deep import weights_fetching
from radiobone.features.deep.weights_fetching import fetch

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves CONTENT; ``breaks`` is how many answers end after half of what was asked for."""

    def __init__(self) -> None:
        self.breaks = 0
        self.takes_ranges = True
        self.status = 200
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                outer.asked.append(wanted)
                if outer.status != 200:
                    self.send_error(outer.status)
                    return
                begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
                partial = bool(wanted) and outer.takes_ranges
                body = CONTENT[begin:] if partial else CONTENT
                self.send_response(206 if partial else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if outer.breaks:
                    outer.breaks -= 1
                    body = body[: len(body) // 2]
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/weights.pth"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(weights_fetching, "_PAUSE_S", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def test_a_file_is_fetched_whole(server, tmp_path):
    path = tmp_path / "new" / "weights.pth"
    fetch(server.url, path, SHA256)
    assert path.read_bytes() == CONTENT
    assert [item.name for item in path.parent.iterdir()] == ["weights.pth"]


def test_a_terminal_shows_how_far_it_is(server, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    fetch(server.url, tmp_path / "weights.pth", SHA256)
    assert "fetching weights.pth" in shown.getvalue()
    assert "1.3/1.3 MB" in shown.getvalue()
    fetch(server.url, tmp_path / "quiet.pth", SHA256, show=False)
    assert "quiet" not in shown.getvalue()


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_broken_connection_is_taken_up(server, tmp_path, takes_ranges):
    server.breaks, server.takes_ranges = 2, takes_ranges
    fetch(server.url, tmp_path / "weights.pth", SHA256)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    second = half + (len(CONTENT) - half) // 2 if takes_ranges else half
    assert server.asked == [None, f"bytes={half}-", f"bytes={second}-"]


def test_a_connection_that_breaks_for_ever_leaves_nothing(server, tmp_path):
    server.breaks = 100
    with pytest.raises(ModelError, match="the connection ended after") as raised:
        fetch(server.url, tmp_path / "weights.pth", SHA256)
    assert server.url in str(raised.value)
    assert "--weights" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_not_kept_and_an_earlier_one_stays(server, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"earlier")
    with pytest.raises(ModelError, match="not the one that was published") as raised:
        fetch(server.url, path, "0" * 64)
    assert SHA256 in str(raised.value)
    assert path.read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_without_the_file_is_told(server, tmp_path, status):
    server.status = status
    with pytest.raises(ModelError, match=f"cannot be fetched.*HTTP {status}"):
        fetch(server.url, tmp_path / "weights.pth", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_message_names_the_address_and_the_way_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/weights.pth"
        with pytest.raises(ModelError, match="cannot be fetched") as raised:
            fetch(url, tmp_path / "weights.pth", SHA256)
    assert url in str(raised.value)
    assert "--weights" in str(raised.value)
    assert str(tmp_path / "weights.pth") in str(raised.value)


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be kept"):
        fetch(server.url, tmp_path / "file" / "weights.pth", SHA256)
