"""What the proxy does to a session over TCP, as client and server see it."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

import pytest

from threadline.testing.faults import script
from threadline.testing.faults.script import Fault, Rule, Script
from threadline.testing.faults.tcp import TcpFaultProxy


class Counter(socketserver.StreamRequestHandler):
    """Greets, and answers each line with "did", what it says, and padding; the word "quit" ends it."""

    done: list[str]

    def handle(self) -> None:
        self.wfile.write(b"hello there\n")
        while line := self.rfile.readline():
            word = line.decode().strip()
            self.done.append(word)
            self.wfile.write(f"did {word} {'x' * 40}\n".encode())
            if word == "quit":
                return


class Echo(socketserver.StreamRequestHandler):
    """Says nothing before it is spoken to."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(b"did " + line)


@pytest.fixture
def served() -> Iterator[tuple[str, int]]:
    Counter.done = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Counter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(served: tuple[str, int]) -> Iterator[TcpFaultProxy]:
    with TcpFaultProxy(served, Script()) as running:
        yield running


class Client:
    """Speaks in lines; what comes back until the line ends or the session does."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def line(self) -> str:
        found = b""
        while not found.endswith(b"\n") and (data := self.socket.recv(1)):
            found += data
        return found.decode()

    def ask(self, word: str) -> str:
        self.socket.sendall(f"{word}\n".encode())
        return self.line()


def test_without_a_fault_everything_passes_and_each_exchange_is_noted(proxy):
    with Client(proxy.port) as client:
        assert client.line() == "hello there\n"
        assert client.ask("one").startswith("did one xxx")
        assert client.ask("two").startswith("did two xxx")
    assert [(seen.method, seen.path) for seen in proxy.seen] == [("connect", ""), ("send", "one\n"), ("send", "two\n")]
    assert proxy.spoiled == []


def test_the_servers_end_ends_the_session(proxy):
    with Client(proxy.port) as client:
        client.line()
        assert client.ask("quit").startswith("did quit")
        assert client.line() == ""


def test_a_reset_comes_before_the_server_sees_anything(proxy):
    proxy.restart(Script(Rule(script.RESET, 3)))
    with Client(proxy.port) as client:
        client.line()
        client.ask("one")
        with pytest.raises(ConnectionResetError):
            client.ask("two")
    assert Counter.done == ["one"]
    assert proxy.spoiled == ["reset"]


def test_a_lost_response_is_of_something_that_was_done(proxy):
    proxy.restart(Script(Rule(script.LOST_RESPONSE, path="two")))
    with Client(proxy.port) as client:
        client.line()
        client.ask("one")
        with pytest.raises(ConnectionResetError):
            client.ask("two")
    assert Counter.done == ["one", "two"]


@pytest.mark.parametrize(
    ("fault", "passed"), [(script.TRUNCATE, 6), (replace(script.TRUNCATE, size=4), 4), (replace(script.TRUNCATE, size=0), 0)]
)
def test_an_answer_breaks_off_after_some_bytes(proxy, fault, passed):
    proxy.restart(Script(Rule(fault, 1)))
    with Client(proxy.port) as client:
        assert client.line() == "hello there\n"[:passed]


@pytest.mark.parametrize("fault", [replace(script.DELAY, seconds=0.02), replace(script.SLOW, seconds=0.02)])
def test_a_late_answer_is_whole(proxy, fault):
    proxy.restart(Script(Rule(fault)))
    with Client(proxy.port) as client:
        assert client.line() == "hello there\n"
        assert client.ask("one") == f"did one {'x' * 40}\n"
    assert proxy.spoiled == [fault.kind] * 2


def test_refused_connections_are_taken_again_after_a_while(proxy):
    proxy.restart(Script(Rule(replace(script.REFUSE, seconds=0.3), 2)))
    with Client(proxy.port) as client:
        client.line()
        with pytest.raises(ConnectionResetError):
            client.ask("one")
    with pytest.raises(ConnectionRefusedError):
        Client(proxy.port)
    taken = False
    while not taken:
        try:
            with Client(proxy.port) as again:
                taken = again.line() == "hello there\n"
        except ConnectionRefusedError:
            continue
    assert Counter.done == []


def test_where_the_client_speaks_first_its_first_words_belong_to_the_connection():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with TcpFaultProxy(("127.0.0.1", server.server_address[1]), Script()) as proxy, Client(proxy.port) as client:
            assert client.ask("one") == "did one\n"
            assert client.ask("two") == "did two\n"
            assert [seen.method for seen in proxy.seen] == ["connect", "send"]
        server.shutdown()
        thread.join()


def test_it_stops_while_a_session_is_open(served):
    with TcpFaultProxy(served, Script()) as proxy:
        client = Client(proxy.port)
        client.line()
    with client:
        assert client.line() == ""


def test_proxies_may_follow_one_script(served):
    both = Script(Rule(script.RESET, 3))
    with TcpFaultProxy(served, both) as one, TcpFaultProxy(served, both) as other, Client(one.port) as first, Client(other.port) as second:
        assert first.line() == second.line() == "hello there\n"
        with pytest.raises(ConnectionResetError):
            second.ask("third")


def test_what_cannot_happen_over_tcp_is_an_error(proxy):
    with pytest.raises(ValueError, match="has no status; it has delay, lost response"):
        proxy.restart(Script(Rule(Fault("status", 503))))
