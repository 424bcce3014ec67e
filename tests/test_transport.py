"""Requests go over the wire as they are composed, once, and whatever an endpoint does comes back as an exchange."""

import gzip
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import pytest
from byteserver import OK, SOON, answered, serving

from conformance.auth import TokenEndpoint
from conformance.model import Request
from conformance.pace import Pace
from conformance.scrub import Vault
from conformance.transport import MAX_BODY, HttpTransport, connections, sockets
from conformance.transport.room import KEPT_OF_LONG

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
SECRET = 'sk_live_9f8e7d/6c5b+4a"3&2 1='


@pytest.fixture
def connect():
    """Makes transports, and closes them afterwards."""
    made = []

    def make(url, secrets=None, **options):
        made.append(HttpTransport(url, Vault(secrets or {}), **{"timeout": SOON, **options}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def post(body=b'{"orders":[]}', **more):
    return Request("POST", "/orders/bulk", body=body, **more)


def send(carrier, request=None):
    return carrier.send(request or post(), "create-orders", "x0001", NOW)


# The way out and back


def test_a_request_arrives_byte_by_byte_as_it_was_composed(connect):
    body = '{"orders": [ {"name":"Łódź 你好"} ]}'.encode()
    with serving(OK) as server:
        request = post(
            body, query="a=1", headers=(("content-type", "application/json"), ("x-case", "AL-001/order.plain"))
        )
        exchange = send(connect(f"{server.url}/v1/"), request)
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/orders/bulk?a=1", body)
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-case"] == "AL-001/order.plain"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("bulk-order-conformance/")
    assert set(seen.headers) == {
        "host", "content-length", "content-type", "x-case", "accept-encoding", "user-agent"
    }  # fmt: skip
    assert exchange.request is request
    assert (exchange.id, exchange.operation, exchange.sent_at) == ("x0001", "create-orders", NOW)


def test_an_answer_comes_back_whole(connect):
    answer = answered(
        "400 Bad Request", "Content-Type: application/json", "X-Two: a", "X-Two: b", body=b'{"path":"/x"}'
    )
    with serving(answer) as server:
        exchange = send(connect(server.url))
    assert exchange.trouble is None
    assert exchange.response.status == 400
    assert exchange.response.body == b'{"path":"/x"}'
    assert exchange.response.header("Content-Type") == "application/json"
    assert [value for key, value in exchange.response.headers if key == "x-two"] == ["a", "b"] or (
        exchange.response.header("x-two") == "a, b"
    )
    assert exchange.response.truncated is False
    assert 0 < exchange.duration_ms < SOON * 1000


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (answered("201 Created", "Content-Encoding: gzip", body=gzip.compress(b"abcde", mtime=0)), b"abcde"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_codings_are_undone(connect, answer, body):
    with serving(answer) as server:
        assert send(connect(server.url)).response.body == body


def test_a_body_that_ends_with_its_connection_is_whole(connect):
    def answer(connection, _request, _number):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nabc")

    with serving(answer) as server:
        assert send(connect(server.url)).response.body == b"abc"


def test_a_request_without_body_says_so(connect):
    with serving(OK) as server:
        send(connect(server.url), Request("POST", "/orders/bulk"))
        send(connect(server.url), Request("GET", "/orders/bulk"))
    assert [each.headers.get("content-length") for each in server.seen] == ["0", None]


def test_extra_headers_win(connect):
    with serving(OK) as server:
        carrier = connect(server.url, headers=[("x-tenant", "t-1"), ("accept", "*/*")])
        send(carrier, post(headers=(("accept", "application/json"),)))
    assert (server.seen[0].headers["x-tenant"], server.seen[0].headers["accept"]) == ("t-1", "*/*")


def test_paths_at_the_root_leave_out_the_base(connect):
    with serving(OK) as server:
        carrier = connect(f"{server.url}/api/v1")
        send(carrier, Request("POST", "/oauth2/token", root=True))
        send(carrier, Request("POST", "/auth/token"))
    assert [each.target for each in server.seen] == ["/oauth2/token", "/api/v1/auth/token"]


def test_another_base_is_turned_to_once(connect):
    with serving(OK) as server:
        carrier = connect(f"{server.url}/v1", bases=[""])
        assert carrier.endpoint == f"{server.url}/v1"
        send(carrier)
        assert carrier.other_base()
        assert carrier.endpoint == server.url
        send(carrier)
        assert not carrier.other_base()
    assert [each.target for each in server.seen] == ["/v1/orders/bulk", "/orders/bulk"]


def test_the_environments_proxy_sees_nothing(connect, monkeypatch):
    """Orders go where the user said, and nowhere by way of others."""
    with serving(OK) as server, serving(OK) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send(connect(server.url)).response.status == 201
        assert proxy.connections == 0


# Connections


def test_connections_are_kept(connect):
    with serving(OK) as server:
        carrier = connect(server.url)
        for _ in range(3):
            assert send(carrier).response.status == 201
    assert (len(server.seen), server.connections) == (3, 1)


def test_a_connection_that_was_idle_is_not_used_again(connect, monkeypatch):
    """The server may be closing it just as we write, and then nobody knows whether the order arrived."""
    monkeypatch.setattr(connections, "_IDLE_S", 0.05)
    with serving(OK) as server:
        carrier = connect(server.url)
        send(carrier)
        time.sleep(0.1)
        assert send(carrier).response.status == 201
    assert (len(server.seen), server.connections) == (2, 2)


def test_one_busy_thread_keeps_no_idle_connection_in_use(connect, monkeypatch):
    """How long a connection was idle is its own affair, and not that of the transport."""
    monkeypatch.setattr(connections, "_IDLE_S", 1.0)
    together = threading.Barrier(2)

    def answer(connection, _request, number):
        if number <= 2:
            together.wait(SOON)
        connection.sendall(OK)
        return True

    with serving(answer) as server, ThreadPoolExecutor(2) as pool:
        carrier = connect(server.url, connections=2)
        list(pool.map(lambda _: send(carrier), range(2)))
        for _ in range(5):
            time.sleep(0.3)
            send(carrier)
        assert server.connections == 2
        together.reset()
        carriers = [pool.submit(send, carrier) for _ in range(2)]
        assert [each.result().response.status for each in carriers] == [201, 201]
    assert len(server.seen) == 9
    assert server.connections in (2, 3), "only the one that was idle may have been replaced"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ],
    ids=["chunked", "no-content", "empty", "hints"],
)
def test_connections_are_kept_however_an_answer_ends(connect, answer):
    with serving(answer) as server:
        carrier = connect(server.url)
        statuses = {send(carrier).response.status for _ in range(3)}
    assert statuses <= {201, 204}
    assert (len(server.seen), server.connections) == (3, 1)


def test_a_connection_closed_after_its_answer_costs_nothing(connect):
    def answer(connection, _request, _number):
        connection.sendall(OK)

    with serving(answer) as server:
        carrier = connect(server.url)
        for _ in range(3):
            assert send(carrier).response.status == 201
            time.sleep(0.05)
    assert len(server.seen) == 3


def test_many_threads_get_their_own_answers(connect):
    def answer(connection, request, _number):
        connection.sendall(answered(body=request.body))
        return True

    with serving(answer) as server, ThreadPoolExecutor(8) as pool:
        carrier = connect(server.url, connections=8)
        bodies = [f'{{"n":{number}}}'.encode() for number in range(100)]
        exchanges = list(pool.map(lambda body: send(carrier, post(body)), bodies))
    assert [each.response.body for each in exchanges] == bodies
    assert server.connections <= 8
    assert len(server.seen) == 100


def test_the_ceiling_of_requests_is_kept(connect):
    with serving(OK) as server, ThreadPoolExecutor(6) as pool:
        carrier = connect(server.url, connections=6, pace=Pace(20))
        started = time.monotonic()
        list(pool.map(lambda _: send(carrier), range(6)))
    # The first goes at once, the others a twentieth of a second apart.
    assert time.monotonic() - started >= 5 / 20


# Trouble


def trouble(exchange):
    assert exchange.response is None
    return exchange.trouble.kind, exchange.trouble.detail


def test_refused_connection(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert trouble(send(connect(url))) == ("connect", "Connection refused (nothing was sent)")


def test_no_answer_in_time(connect):
    with serving(lambda connection, *_: connection.recv(1)) as server:
        started = time.monotonic()
        assert trouble(send(connect(server.url, timeout=0.3))) == (
            "timeout",
            "nothing within 0.3 s (the request may have arrived)",
        )
        assert 0.3 <= time.monotonic() - started < 2
    assert len(server.seen) == 1, "a POST that may have arrived is never sent twice"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100000\r\n\r\n", b"Connection: close\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["with-length", "until-closed", "chunked"],
)
def test_an_answer_that_drips_is_cut_off_in_time(connect, head):
    """Every byte comes soon after the one before, but the whole must come within the time-out."""
    block = b"1\r\nx\r\n" if b"chunked" in head else b"x"

    def answer(connection, _request, _number):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        server.pour(connection, block, pause=0.05)

    with serving(answer) as server:
        started = time.monotonic()
        assert trouble(send(connect(server.url, timeout=0.4))) == (
            "timeout",
            "nothing within 0.4 s (the request may have arrived)",
        )
        assert time.monotonic() - started < 2
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("start", "block"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        # Bytes of gzip that unpack to nothing.
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
    ],
    ids=["header", "headers", "continue", "early-hints", "gzip", "trailers"],
)
def test_a_head_that_drips_is_cut_off_in_time(connect, start, block):
    def answer(connection, _request, _number):
        connection.sendall(start)
        server.pour(connection, block, pause=0.02)

    with serving(answer) as server:
        started = time.monotonic()
        assert trouble(send(connect(server.url, timeout=0.3))) == (
            "timeout",
            "nothing within 0.3 s (the request may have arrived)",
        )
        assert time.monotonic() - started < 3
    assert len(server.seen) == 1


def test_a_deadline_is_of_one_request_and_not_of_its_connection(connect):
    """A connection that served one request in time serves the next, and each has the whole time."""

    def answer(connection, _request, _number):
        server.stopped.wait(0.6)
        connection.sendall(OK)
        return True

    with serving(answer) as server:
        carrier = connect(server.url, timeout=1.5)
        assert [send(carrier).response.status for _ in range(3)] == [201] * 3
    assert server.connections == 1


def test_many_threads_keep_their_own_deadlines(connect):
    """One answer drips for ever, and its neighbours on the same pool come whole."""

    def answer(connection, request, _number):
        if b"drip" in request.body:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
            server.pour(connection, b"x", pause=0.01)
        server.stopped.wait(0.05)
        connection.sendall(answered(body=request.body))
        return True

    with serving(answer) as server, ThreadPoolExecutor(4) as pool:
        carrier = connect(server.url, timeout=1.5, connections=4)
        bodies = [b'"drip"' if number % 8 == 0 else b'"%d"' % number for number in range(32)]
        exchanges = list(pool.map(lambda body: send(carrier, post(body)), bodies))
    for body, exchange in zip(bodies, exchanges, strict=True):
        if b"drip" in body:
            assert exchange.trouble.kind == "timeout"
        else:
            assert exchange.response.body == body
    assert len(server.seen) == 32


def test_a_name_that_is_not_resolved_in_time_is_given_up(connect, monkeypatch):
    waited = threading.Event()
    monkeypatch.setattr(sockets.socket, "getaddrinfo", lambda *_, **__: waited.wait(SOON))
    started = time.monotonic()
    assert trouble(send(connect("http://orders.example", timeout=0.2))) == (
        "connect",
        "no connection within 0.2 s (nothing was sent)",
    )
    assert time.monotonic() - started < 3
    waited.set()


def test_a_host_that_is_not_there_is_told(connect, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(sockets.socket, "getaddrinfo", unknown)
    expected = ("connect", "the name of the host cannot be resolved (nothing was sent)")
    assert trouble(send(connect("http://orders.example"))) == expected


def test_each_address_of_a_host_is_tried(connect, monkeypatch):
    """The first one refuses, the second one listens."""
    with serving(OK) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = int(server.url.rpartition(":")[2])
        places = [closed.getsockname(), ("127.0.0.1", port)]
        known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(sockets.socket, "getaddrinfo", lambda *_, **__: known)
        assert send(connect(f"http://orders.example:{port}")).response.status == 201


def test_an_address_that_never_answers_leaves_time_for_the_next(connect, monkeypatch):
    with serving(OK) as server:
        port = int(server.url.rpartition(":")[2])
        silent = ("127.0.0.2", port)
        known = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (silent, ("127.0.0.1", port))]
        monkeypatch.setattr(sockets.socket, "getaddrinfo", lambda *_, **__: known)

        class Silent(sockets.Socket):
            def connect(self, address):
                if address == silent:
                    time.sleep(self.gettimeout())
                    raise TimeoutError
                super().connect(address)

        monkeypatch.setattr(sockets, "Socket", Silent)
        assert send(connect(f"http://orders.example:{port}", timeout=2)).response.status == 201


def test_connecting_has_a_time_of_its_own(connect, monkeypatch):
    monkeypatch.setattr(connections, "CONNECT_S", 0.2)
    monkeypatch.setattr(sockets.socket, "getaddrinfo", lambda *_, **__: time.sleep(SOON))
    started = time.monotonic()
    found = trouble(send(connect("http://orders.example", timeout=SOON)))
    assert found == ("connect", "no connection within 0.2 s (nothing was sent)")
    assert time.monotonic() - started < 3


def test_an_endpoint_may_be_at_an_ipv6_address(connect):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with listener, serving(OK, wrap=lambda _: listener) as server:
        listener.settimeout(0.01)
        port = listener.getsockname()[1]
        assert send(connect(f"http://[::1]:{port}/v1")).response.status == 201
    assert server.seen[0].headers["host"] == f"[::1]:{port}"


def closing(*blocks):
    """Send these and close the connection."""

    def answer(connection, _request, _number):
        for block in blocks:
            connection.sendall(block)

    return answer


def resetting(connection, _request, _number):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(closing(), id="nothing"),
        pytest.param(resetting, id="reset"),
        pytest.param(closing(b"HTTP/1.1 20"), id="half-a-status"),
        pytest.param(closing(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n0123456789"), id="half-a-body"),
        pytest.param(closing(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), id="half-a-chunk"),
        pytest.param(closing(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), id="no-last-chunk"),
        pytest.param(closing(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello"), id="no-chunk-size"),
        pytest.param(closing(answered(body=b"\x1f\x8b\x08nonsense").replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)),
                     id="broken-gzip"),
        pytest.param(closing(b"220 mail.example.com ESMTP\r\n\r\n"), id="another-protocol"),
        pytest.param(closing(b"HTTP/1.1 abc\r\n\r\n"), id="no-status"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), id="two-lengths"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nab"), id="negative-length"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nContent-Length: 2, x\r\n\r\nab"), id="no-length"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500 + b"\r\n"), id="500-headers"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 200_000 + b"\r\n\r\n"), id="endless-header"),
    ],
)  # fmt: skip
def test_a_post_whose_answer_breaks_is_broken_and_was_sent_once(connect, answer):
    with serving(answer) as server:
        kind, detail = trouble(send(connect(server.url)))
        time.sleep(0.05)
        assert kind == "broken"
        assert detail
        assert "\n" not in detail
        assert len(server.seen) == 1


def test_the_run_goes_on_after_trouble(connect):
    def answer(connection, _request, number):
        if number == 1:
            return False
        connection.sendall(OK)
        return True

    with serving(answer) as server:
        carrier = connect(server.url)
        assert trouble(send(carrier)) == (
            "broken",
            "the connection was closed without an answer (the request may have arrived)",
        )
        assert send(carrier).response.status == 201


@pytest.mark.parametrize("head", ["Connection: close", "Content-Length: 1000000000000", "Transfer-Encoding: chunked"])
def test_an_endless_body_is_bounded(connect, head):
    block = b"x" * 65536
    if "chunked" in head:
        block = b"10000\r\n" + block + b"\r\n"
    noticed = threading.Event()

    def answer(connection, _request, _number):
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        try:
            server.pour(connection, block)
        except OSError:
            noticed.set()

    with serving(answer) as server:
        exchange = send(connect(server.url))
        assert noticed.wait(SOON), "the connection stayed open"
    assert exchange.response.truncated
    assert exchange.response.body == b"x" * KEPT_OF_LONG


def test_a_body_of_just_the_limit_is_whole(connect):
    with serving(answered(body=b"x" * MAX_BODY)) as server:
        response = send(connect(server.url)).response
    assert (len(response.body), response.truncated) == (MAX_BODY, False)


def test_a_body_that_unpacks_to_more_than_the_limit_is_bounded(connect):
    bomb = gzip.compress(bytes(100 << 20))
    assert len(bomb) < MAX_BODY
    with serving(answered("200 OK", "Content-Encoding: gzip", body=bomb)) as server:
        response = send(connect(server.url)).response
    assert (len(response.body), response.truncated) == (KEPT_OF_LONG, True)


def test_a_listing_has_room_whatever_was_answered_before(connect):
    """Each listing has its own room, since the one before is not kept."""
    page = b"x" * MAX_BODY
    with serving(answered(body=page)) as server:
        carrier = connect(server.url)
        while not send(carrier).response.truncated:
            pass
        for _ in range(3):
            carrier.begin_listing()
            assert send(carrier).response.body == page


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer_and_not_followed(connect, status):
    """Neither orders nor credentials go where the user did not send them."""
    with serving(OK) as elsewhere, serving(answered(status, f"Location: {elsewhere.url}/orders/bulk")) as server:
        exchange = send(
            connect(server.url, {"access_token": SECRET}), post(headers=(("authorization", "{{access_token}}"),))
        )
        assert exchange.response.status == int(status[:3])
        assert exchange.response.header("location") == f"{elsewhere.url}/orders/bulk"
        assert elsewhere.connections == 0
        assert len(server.seen) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for_is_refused(connect, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(OK, wrap=lambda listener: context.wrap_socket(listener, server_side=True)) as server:
        kind, detail = trouble(send(connect(server.url.replace("http:", "https:"))))
    assert kind == "connect"
    assert "certificate" in detail.lower()
    assert server.seen == []


# Heads of answers


@pytest.mark.parametrize("number", [1, 50])
def test_provisional_answers_are_passed_over(connect, number):
    """Else an early hint would be taken for the answer, and the answer for that of the next request."""

    def answer(connection, request, _number):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * number)
        server.stopped.wait(0.05)
        connection.sendall(answered(body=request.body))
        return True

    with serving(answer) as server:
        carrier = connect(server.url)
        bodies = [b'"one"', b'"two"']
        assert [send(carrier, post(body)).response.body for body in bodies] == bodies


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_a_storm_of_provisional_answers_ends(connect, status):
    def answer(connection, _request, _number):
        server.pour(connection, f"HTTP/1.1 {status}\r\nX-A: b\r\n\r\n".encode() * 50)

    with serving(answer) as server:
        started = time.monotonic()
        kind, _ = trouble(send(connect(server.url, timeout=0.5)))
        assert time.monotonic() - started < 3
    assert kind in ("broken", "timeout")
    assert len(server.seen) == 1


def test_a_connection_that_switched_to_another_protocol_is_not_used_again(connect):
    with serving(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n") as server:
        carrier = connect(server.url)
        assert [send(carrier).response.status for _ in range(2)] == [101, 101]
    assert server.connections == 2


def test_headers_that_come_twice_are_both_kept(connect):
    answer = answered("201 Created", "Set-Cookie: a=1, b", "X-Two: a", "Set-Cookie: c=2", "x-two: b")
    with serving(answer) as server:
        headers = send(connect(server.url)).response.headers
    assert [value for key, value in headers if key == "set-cookie"] == ["a=1, b", "c=2"]
    assert [value for key, value in headers if key == "x-two"] == ["a", "b"]


def test_bytes_of_any_kind_may_stand_in_a_header(connect):
    answer = answered("201 Created").replace(b"\r\n", b"\r\nX-A: \xff\xfe \x01\x7f \xc5\x82\x85\r\n", 1)
    with serving(answer) as server:
        response = send(connect(server.url)).response
    assert response.header("x-a").encode("latin-1") == b"\xff\xfe \x01\x7f \xc5\x82\x85"
    assert response.body == b"{}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no header at all", "a line in the head of the answer is no header"),
        (b"X-A: a\rcontent-length 5", "a line in the head of the answer is no header"),
        (b"\r\n".join(b"X-%d: " % number + b"b" * 9000 for number in range(8)), "the head of the answer is larger than 64 KiB"),
        (b"\r\n".join([b"X-A: b"] * 200), "the answer is no HTTP"),
    ],
    ids=["no-colon", "carriage-return", "large", "many"],
)  # fmt: skip
def test_a_head_that_is_none_is_trouble(connect, line, reason):
    """The parser would pass over all that follows such a line, and a documented header would seem to be missing."""
    answer = answered("201 Created").replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)
    with serving(answer) as server:
        assert trouble(send(connect(server.url))) == ("broken", f"{reason} (the request may have arrived)")


# Where requests go


@pytest.mark.parametrize(
    "path", ["@127.0.0.1:9/x", ":9@127.0.0.1:9/x", ".127.0.0.1:9/x", "//127.0.0.1:9/x", "/\\127.0.0.1:9"]
)
def test_no_path_leads_to_another_host(connect, path):
    """A path may be made from what an endpoint answered."""
    with serving(OK) as server:
        assert send(connect(server.url), Request("GET", path)).response.status == 201
    assert server.seen[0].target.startswith("/")


# Throttling


def test_429_is_waited_for_and_the_same_sent_again(connect):
    def answer(connection, _request, number):
        connection.sendall(answered("429 Too Many Requests", "Retry-After: 1") if number == 1 else OK)
        return True

    with serving(answer) as server:
        started = time.monotonic()
        exchange = send(connect(server.url))
        assert time.monotonic() - started >= 1
    assert exchange.response.status == 201
    assert len(server.seen) == 2
    assert server.seen[0] == server.seen[1]


def test_retry_after_may_be_a_date(connect):
    slept = []
    pace = Pace(pause=slept.append)

    def answer(connection, _request, number):
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
        connection.sendall(answered("503 Service Unavailable", f"Retry-After: {moment}") if number == 1 else OK)
        return True

    with serving(answer) as server:
        assert send(connect(server.url, pace=pace)).response.status == 201
    assert [25 < pause <= 30 for pause in slept] == [True]


@pytest.mark.parametrize("stated", ["Thu, 20 Nov 2025 09:15:00 GMT", "Thu, 20 Nov 2025 09:15:00 -0000", "0"])
def test_a_moment_that_has_passed_is_not_waited_for(connect, stated):
    def answer(connection, _request, number):
        connection.sendall(answered("429 Too Many Requests", f"Retry-After: {stated}") if number == 1 else OK)
        return True

    with serving(answer) as server:
        started = time.monotonic()
        assert send(connect(server.url)).response.status == 201
        assert time.monotonic() - started < 1
    assert len(server.seen) == 2


def test_throttling_that_does_not_end_is_the_answer(connect):
    with serving(answered("429 Too Many Requests", "Retry-After: 0")) as server:
        assert send(connect(server.url)).response.status == 429
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("429 Too Many Requests", "X: y"),
        ("429 Too Many Requests", "Retry-After: 61"),
        ("429 Too Many Requests", "Retry-After: 99999999999999999999"),
        ("429 Too Many Requests", "Retry-After: Thu, 20 Nov 2025 09:15:00 +99999999999999999999"),
        ("429 Too Many Requests", "Retry-After: Thu, 20 Nov 99999999999999999999 09:15:00 GMT"),
        ("429 Too Many Requests", "Retry-After: soon"),
        ("429 Too Many Requests", "Retry-After: -1"),
        ("429 Too Many Requests", "Retry-After: \xb2"),
        ("429 Too Many Requests", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
        ("503 Service Unavailable", "X: y"),
        ("500 Internal Server Error", "Retry-After: 0"),
        ("201 Created", "Retry-After: 0"),
        ("502 Bad Gateway", "Retry-After: 0"),
    ],
)
def test_nothing_is_sent_again_that_the_server_may_have_taken_or_that_takes_too_long(connect, status, header):
    with serving(answered(status, header).decode().encode("latin-1")) as server:
        started = time.monotonic()
        assert send(connect(server.url)).response.status == int(status[:3])
        assert time.monotonic() - started < 1
    assert len(server.seen) == 1


# Secrets


def test_secrets_are_on_the_wire_and_nowhere_else(connect):
    """Sent in header, query and body, echoed by the endpoint in every way it knows: the exchange has none of it."""
    request = post(
        b'{"secret":"{{client_secret}}"}',
        query="key={{client_secret}}",
        headers=(("authorization", "Bearer {{client_secret}}"), ("content-type", "application/json")),
    )

    def answer(connection, request, _number):
        echoed = "\n".join([request.target, request.headers["authorization"], request.body.decode()])
        connection.sendall(
            answered("400 Bad Request", f"X-Echo: {request.headers['authorization']}", body=echoed.encode())
        )
        return True

    with serving(answer) as server:
        exchange = send(connect(server.url, {"client_secret": SECRET}), request)
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert json.loads(seen.body) == {"secret": SECRET}
    assert "sk_live_9f8e7d" in seen.target
    assert exchange.request is request
    assert "sk_live" not in repr(exchange)
    assert "9f8e7d" not in repr(exchange)
    assert exchange.response.header("x-echo") == "Bearer {{client_secret}}"
    assert exchange.response.body.count(b"{{client_secret}}") == 3


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, request, _number: connection.sendall(f"{request.headers['authorization']}\r\n\r\n".encode()),
        lambda connection, request, _number: connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Length: {request.headers['authorization']}\r\n\r\n".encode()
        ),
        lambda connection, request, _number: connection.sendall(
            f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{request.headers['authorization']}\r\n".encode()
        ),
    ],
    ids=["status-line", "length", "chunk-size"],
)
def test_trouble_does_not_tell_secrets(connect, answer):
    with serving(answer) as server:
        exchange = send(
            connect(server.url, {"access_token": SECRET}), post(headers=(("authorization", "{{access_token}}"),))
        )
    assert server.seen[0].headers["authorization"] == SECRET
    assert "sk_live" not in repr(exchange)
    assert "9f8e7d" not in repr(exchange)


def test_a_secret_that_cannot_stand_in_a_header_is_not_told_either(connect):
    with serving(OK) as server:
        carrier = connect(server.url, {"access_token": "sk_live\r\nx-injected: 1"})
        exchange = send(carrier, post(headers=(("authorization", "Bearer {{access_token}}"),)))
    assert trouble(exchange)[0] == "broken"
    assert "sk_live" not in repr(exchange)
    assert server.seen == []


@pytest.mark.parametrize("secret", ["p\u00e4ssw\u00f6rd-1234", "back\\slash-1234", "it's-secret-1234", 'say-"it"-1234'])
@pytest.mark.parametrize("form", ["{}\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Length: 1\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n"])  # fmt: skip
def test_trouble_repeats_nothing_of_a_broken_answer(connect, secret, form):
    """However Python would have written it down."""

    def answer(connection, _request, _number):
        connection.sendall(form.format(secret).encode())

    with serving(answer) as server:
        kind, detail = trouble(send(connect(server.url, {"access_token": secret})))
    assert kind == "broken"
    assert "1234" not in detail


@pytest.mark.parametrize("coding", ["latin-1", "utf-8"])
def test_a_secret_in_a_header_is_found_in_either_coding(connect, coding):
    secret = "p\u00e4ssw\u00f6rd-1234"
    echo = answered().replace(b"\r\n", b"\r\nX-Echo: <" + secret.encode(coding) + b">\r\n", 1)
    with serving(echo) as server:
        exchange = send(connect(server.url, {"access_token": secret}))
    assert exchange.response.header("x-echo") == "<{{access_token}}>"


def test_a_secret_is_not_cut_in_two(connect):
    """What is kept of a long body ends in the middle of one."""
    body = b"x" * (KEPT_OF_LONG - 10) + SECRET.encode() + b"x" * MAX_BODY
    with serving(answered(body=body)) as server:
        kept = send(connect(server.url, {"access_token": SECRET})).response.body
    assert len(kept) == KEPT_OF_LONG
    assert b"sk_live" not in kept


def test_the_librarys_own_log_tells_no_secret(connect, caplog):
    caplog.set_level("DEBUG")
    with serving(OK) as server:
        send(connect(server.url, {"client_secret": SECRET}), post(query="key={{client_secret}}"))
    assert "sk_live" in server.seen[0].target
    assert "/orders/bulk?key={{client_secret}}" in caplog.text
    assert "sk_live" not in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, AssertionError])
def test_no_frame_that_holds_a_secret_is_shown_when_a_run_is_broken_off(connect, error):
    """Pytest shows what the frames of a traceback hold, with --showlocals for example."""

    def interrupted(*_, **__):
        raise error

    with serving(answered("429 Too Many Requests", "Retry-After: 1")) as server:
        one = connect(server.url, {"access_token": SECRET}, pace=Pace(pause=interrupted))
        with pytest.raises(error) as caught:
            send(one, post(headers=(("authorization", "{{access_token}}"),)))
    shown = str(caught.getrepr(showlocals=True, funcargs=True, style="long", chain=True))
    assert "sk_live" not in shown
    assert "carrier.py" in shown
    assert "interrupted" not in "".join(str(each.frame.code.name) for each in caught.traceback)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert "test_transport.py:" in caught.value.__notes__[0]


# Tokens

CLIENT = {"client_id": "client-1234", "client_secret": SECRET}
WITH_TOKEN = post(headers=(("authorization", "Bearer {{access_token}}"),))


def issuing(lifetime=3600, **more):
    """Answers every token request with a token of its own, and orders with 201."""
    issued = []

    def answer(connection, request, _number):
        if "token" in request.target:
            issued.append(f"issued-token-{len(issued) + 1}")
            body = {"access_token": issued[-1], "expires_in": lifetime, "token_type": "Bearer", **more}
            connection.sendall(answered("200 OK", body=json.dumps(body).encode()))
        else:
            connection.sendall(OK)
        return True

    return answer


def tokens_used(server):
    return [each.headers["authorization"] for each in server.seen if "token" not in each.target]


def test_a_token_is_asked_for_in_json(connect):
    with serving(issuing()) as server:
        carrier = connect(
            server.url, CLIENT, token=(f"{server.url}/v1/auth/token", TokenEndpoint("/auth/token", "json"))
        )
        exchanges = [send(carrier, WITH_TOKEN) for _ in range(3)]
    asked, *_ = server.seen
    assert (asked.method, asked.target) == ("POST", "/v1/auth/token")
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.body) == {**CLIENT, "grant_type": "client_credentials"}
    assert "authorization" not in asked.headers
    assert tokens_used(server) == ["Bearer issued-token-1"] * 3
    assert len(server.seen) == 4
    assert all(each.response.status == 201 for each in exchanges)
    assert "issued-token" not in repr(exchanges)


def test_a_token_is_asked_for_as_a_form(connect):
    with serving(issuing()) as server:
        carrier = connect(
            server.url, CLIENT, token=(f"{server.url}/oauth2/token", TokenEndpoint("/oauth2/token", "form", root=True))
        )
        assert send(carrier, WITH_TOKEN).response.status == 201
    asked = server.seen[0]
    assert (asked.method, asked.target) == ("POST", "/oauth2/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "client_id": ["client-1234"], "client_secret": [SECRET], "grant_type": ["client_credentials"],
    }  # fmt: skip
    assert tokens_used(server) == ["Bearer issued-token-1"]


def token_at(server):
    return (f"{server.url}/token", TokenEndpoint("/token", "json"))


def test_a_token_is_renewed_before_it_expires(connect):
    with serving(issuing(lifetime=2)) as server:
        carrier = connect(server.url, CLIENT, token=token_at(server))
        send(carrier, WITH_TOKEN)
        send(carrier, WITH_TOKEN)
        time.sleep(1.05)
        exchange = send(carrier, WITH_TOKEN)
    assert tokens_used(server) == ["Bearer issued-token-1"] * 2 + ["Bearer issued-token-2"]
    assert "issued-token" not in repr(exchange)


def test_a_token_is_renewed_when_asked(connect):
    with serving(issuing()) as server:
        carrier = connect(server.url, CLIENT, token=token_at(server))
        send(carrier, WITH_TOKEN)
        assert carrier.renew_credentials()
        send(carrier, WITH_TOKEN)
    assert tokens_used(server) == ["Bearer issued-token-1", "Bearer issued-token-2"]


def test_a_token_that_was_replaced_is_still_a_secret(connect):
    """An endpoint may well echo the token of a while ago."""
    order = issuing()

    def answer(connection, request, number):
        if "token" in request.target:
            return order(connection, request, number)
        connection.sendall(answered(body=b"you sent issued-token-1, then issued-token-2"))
        return True

    with serving(answer) as server:
        carrier = connect(server.url, CLIENT, token=token_at(server))
        send(carrier, WITH_TOKEN)
        carrier.renew_credentials()
        assert send(carrier, WITH_TOKEN).response.body == b"you sent {{access_token}}, then {{access_token}}"


def test_a_given_token_is_never_fetched_anew(connect):
    with serving(issuing()) as server:
        carrier = connect(server.url, {**CLIENT, "access_token": "given-token"}, token=token_at(server))
        send(carrier, WITH_TOKEN)
        assert not carrier.renew_credentials()
        send(carrier, WITH_TOKEN)
    assert [each.headers["authorization"] for each in server.seen] == ["Bearer given-token"] * 2


def test_many_threads_fetch_one_token(connect):
    def answer(connection, request, number):
        time.sleep(0.05)
        return tokens(connection, request, number)

    tokens = issuing()
    with serving(answer) as server, ThreadPoolExecutor(8) as pool:
        carrier = connect(server.url, CLIENT, token=token_at(server), connections=8)
        list(pool.map(lambda _: send(carrier, WITH_TOKEN), range(8)))
    assert tokens_used(server) == ["Bearer issued-token-1"] * 8
    assert len(server.seen) == 9


def test_requests_without_a_token_fetch_none(connect):
    with serving(issuing()) as server:
        assert send(connect(server.url, CLIENT, token=token_at(server))).response.status == 201
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("401 Unauthorized", b'{"error":"invalid_client"}'),
        ("307 Temporary Redirect", b""),
        ("200 OK", b"<html>"),
        ("200 OK", b"[]"),
        ("200 OK", b"[" * 100_000),
        ("200 OK", b'{"token":"abcdef"}'),
        ("200 OK", b'{"access_token":null}'),
        ("200 OK", b'{"access_token":""}'),
        ("200 OK", b'{"access_token":{"a":1}}'),
        ("200 OK", b'{"access_token":"abcdef","expires_in":"long"}'),
        ("200 OK", b'{"access_token":"abcdef","expires_in":' + b"9" * 400 + b"}"),
    ],
)
def test_no_token_is_trouble_with_credentials(connect, status, body):
    with serving(answered(status, "Location: http://127.0.0.1:9/", body=body)) as server:
        exchange = send(connect(server.url, CLIENT, token=token_at(server)), WITH_TOKEN)
    assert trouble(exchange) == (
        "credentials",
        f"no access token from {server.url}/token: status {status[:3]}; check the credentials",
    )
    assert len(server.seen) == 1, "the order was sent without a token"


def test_a_token_endpoint_that_is_not_there_is_trouble_with_credentials(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"
    with serving(OK) as server:
        exchange = send(connect(server.url, CLIENT, token=(url, None)), WITH_TOKEN)
    assert trouble(exchange) == ("credentials", f"no access token from {url}: Connection refused")
    assert server.seen == []


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["endless", "dripping"])
def test_the_answer_of_a_token_endpoint_is_bounded(connect, pause):
    def answer(connection, _request, _number):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        server.pour(connection, b" " * (65536 if not pause else 1), pause)

    with serving(answer) as server:
        started = time.monotonic()
        kind, detail = trouble(send(connect(server.url, CLIENT, token=token_at(server), timeout=0.5), WITH_TOKEN))
        assert time.monotonic() - started < 3
    assert kind == "credentials"
    assert detail.startswith(f"no access token from {server.url}/token: ")


@pytest.mark.parametrize("lifetime", [0, -5, "NaN", 1e999])
def test_a_token_that_lives_no_time_is_used_all_the_same(connect, lifetime):
    """Otherwise each order would be sent with a token of its own."""
    with serving(issuing(lifetime=lifetime)) as server:
        carrier = connect(server.url, CLIENT, token=token_at(server))
        for _ in range(3):
            send(carrier, WITH_TOKEN)
    assert tokens_used(server) == ["Bearer issued-token-1"] * 3


def test_threads_do_not_wait_for_a_dead_token_endpoint_one_after_another(connect):
    def answer(_connection, _request, _number):
        server.stopped.wait(SOON)

    with serving(answer) as server, ThreadPoolExecutor(6) as pool:
        carrier = connect(server.url, CLIENT, token=token_at(server), timeout=0.5, connections=6)
        started = time.monotonic()
        exchanges = list(pool.map(lambda _: send(carrier, WITH_TOKEN), range(6)))
        assert time.monotonic() - started < 2.5
    assert {trouble(each)[0] for each in exchanges} == {"credentials"}
    assert trouble(exchanges[0])[1] == f"no access token from {server.url}/token: nothing within 0.5 s"
