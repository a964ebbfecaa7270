"""Connections of slow and idle clients are closed; what arrives in time is answered."""

import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest

import pellucid
import toys
from pellucid.server import guarded_connections


@pytest.fixture
def address(tmp_path, served):
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path))
    parts = urlsplit(served(view.workspace))
    return parts.hostname, parts.port


def answer_of(connection):
    connection.settimeout(60)
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def get(address, path="/health"):
    with socket.create_connection(address) as connection:
        request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return answer_of(connection)


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n"])
def test_requests_that_do_not_come_are_given_up(address, monkeypatch, sent):
    monkeypatch.setattr(guarded_connections, "REQUEST_SECONDS", 0.2)
    with socket.create_connection(address) as connection:
        connection.sendall(sent)
        assert answer_of(connection).startswith(b"HTTP/1.1 408 Request Timeout")
    assert get(address).startswith(b"HTTP/1.1 200")


def test_a_trickle_does_not_keep_a_connection_open(address, monkeypatch):
    monkeypatch.setattr(guarded_connections, "REQUEST_SECONDS", 0.3)
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            for number in range(3_000):
                connection.sendall(f"x-{number}: 1\r\n".encode())
                time.sleep(0.02)


def test_a_body_that_does_not_come_is_given_up(address, monkeypatch):
    monkeypatch.setattr(guarded_connections, "REQUEST_SECONDS", 0.2)
    with socket.create_connection(address) as connection:
        connection.sendall(
            b"POST /api/v1/views/v/undo HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            assert not connection.recv(100).startswith(b"HTTP/1.1 200")


def test_kept_connections_answer_several_requests(address, monkeypatch):
    monkeypatch.setattr(guarded_connections, "REQUEST_SECONDS", 5)
    with socket.create_connection(address) as connection:
        connection.settimeout(60)
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            received = b""
            while b"pellucid" not in received:
                received += connection.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200")


def test_an_answer_that_is_not_read_is_given_up(address, monkeypatch):
    monkeypatch.setattr(guarded_connections, "READING_SECONDS", 0.2)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(address)
        request = b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        with pytest.raises(ConnectionError):
            for _ in range(10_000):
                connection.sendall(request)
                time.sleep(0.001)
    assert get(address).startswith(b"HTTP/1.1 200")


def test_connections_of_one_address_are_limited(address, monkeypatch):
    monkeypatch.setattr(guarded_connections, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    held = [socket.create_connection(address) for _ in range(3)]
    try:
        for connection in held:  # they are known to the server once they are answered
            connection.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            connection.settimeout(60)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        with socket.create_connection(address) as another:
            assert answer_of(another).startswith(b"HTTP/1.1 503")
    finally:
        for connection in held:
            connection.close()
    while not get(address).startswith(b"HTTP/1.1 200"):
        time.sleep(0.05)
