"""Tests cannot reach other computers, and so what they run does not."""

import socket

import pytest


def test_connections_to_other_computers_are_blocked():
    # 192.0.2.0/24 is reserved for documentation: nobody is there.
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))


def test_connections_within_this_computer_work():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert client.getpeername() == server.getsockname()
