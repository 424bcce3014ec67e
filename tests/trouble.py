"""
A trouble-making endpoint, in a process of its own: ``python tests/trouble.py PROVIDER KIND [--share=0.1] …``.

Behind it stands the reference endpoint of the pack, which does everything right; before it
stands this server, which spoils some of the requests for orders, or their answers, in one way.
It prints its URL. ``GET /trouble`` tells how many requests there were, and how many orders were
created twice.
"""

import argparse
import hashlib
import http.client
import json
import random
import socket
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlsplit

from byteserver import read

from conformance import ledger, providers
from conformance.changes import select
from conformance.reference import app, behaviour, server

# What identifies an order to the vendor.
KEYS = {"atlast": "/id", "sendcloud": "/order_id", "ezcards": "/clientOrderNumber"}
PAGE = b"<html>" + b"<p>so sorry</p>" * 700_000 + b"</html>"


def canaries(provider):
    """Credentials by placeholder that must turn up nowhere."""
    names = app.credentials(providers.load(provider))
    return {name: f"canary-{name}-5d1e8c" for name in names}


def issued(secret):
    """The access token that the reference endpoint gives for a client's secret."""
    return "issued-" + hashlib.sha256(secret.encode()).hexdigest()[:24]


class Reply(NamedTuple):
    """An answer of the endpoint behind."""

    status: int
    headers: list
    body: bytes

    def head(self, length=None, *more):
        """The bytes before the body; ``length`` is stated as it is given."""
        kept = [f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"]
        length = len(self.body) if length is None else length
        stated = [f"Content-Length: {length}"] if length != "" else []
        return "\r\n".join([f"HTTP/1.1 {self.status} Whatever", *kept, *more, *stated, "", ""]).encode("latin-1")

    def raw(self):
        return self.head() + self.body


class Trouble:
    """The server before the endpoint."""

    def __init__(self, provider, options, behind):
        self.pack = providers.load(provider)
        self.options = options
        self.behind = behind
        self.spoil = KINDS[options.kind]
        self.lock = threading.Lock()
        self.local = threading.local()
        self.counts = Counter()
        self.created = Counter()
        self.processed = Counter()
        self.uses = 0
        self.bomb = bomb() if "bomb" in options.kind else b""

    def accept(self, listener):
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as reader:
            try:
                while (request := read(reader)) is not None:
                    if not self.answer(connection, request):
                        return
            except OSError:
                return

    def answer(self, connection, request):
        path = urlsplit(request.target).path
        if path == "/trouble":
            connection.sendall(Reply(200, [], json.dumps(self.told()).encode()).raw())
            return True
        with self.lock:
            if path.endswith("/token"):
                self.uses = 0
            if path != self.pack.main.base_path + self.pack.main.path or request.method != "POST":
                number = 0
            else:
                self.counts["requests"] += 1
                self.uses += 1
                number = self.counts["requests"] - self.options.after
            share = self.options.share
            spoilt = number > 0 and int(number * share) > int((number - 1) * share)
            self.counts["spoilt"] += spoilt
        if spoilt:
            return self.spoil(self, connection, request)
        return self.pass_on(connection, request)

    def pass_on(self, connection, request):
        connection.sendall(self.ask(request).raw())
        return True

    def ask(self, request):
        """What the endpoint behind answers."""
        if not hasattr(self.local, "behind"):
            self.local.behind = http.client.HTTPConnection(urlsplit(self.behind).netloc)
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        self.local.behind.request(request.method, request.target, request.body or None, headers)
        answer = self.local.behind.getresponse()
        reply = Reply(answer.status, answer.getheaders(), answer.read())
        if request.method == "POST" and reply.status < 300:
            self.note(request)
        return reply

    def note(self, request):
        orders = ledger.orders_in(self.pack.main, request.body)
        with self.lock:
            if orders:
                self.processed[request.body] += 1
            for order in orders:
                key = KEYS.get(self.pack.name)
                value = next((value for _, value in select(order, key)), None) if key else order
                self.created[json.dumps(value)] += 1

    def told(self):
        with self.lock:
            twice = {name: sum(each - 1 for each in counter.values()) for name, counter in
                     (("created_twice", self.created), ("processed_twice", self.processed))}  # fmt: skip
            return dict(self.counts) | {"created": sum(self.created.values())} | twice


# Each kind of trouble: what is done instead of passing a request on; it says whether the connection stays open


def latency(front, connection, request):
    time.sleep(front.options.seconds)
    return front.pass_on(connection, request)


def jitter(front, connection, request):
    time.sleep(random.random() * front.options.seconds)
    return front.pass_on(connection, request)


def reset_before(_front, connection, _request):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_after(front, connection, request):
    front.ask(request)
    reset_before(front, connection, request)


def half(front, connection, request):
    raw = front.ask(request).raw()
    connection.sendall(raw[: len(raw) // 2])


def length_short(front, connection, request):
    """The body goes on beyond its length, and the connection stays open."""
    reply = front.ask(request)
    connection.sendall(reply.head(0) + (reply.body or b"{}"))
    return True


def length_long(front, connection, request):
    reply = front.ask(request)
    connection.sendall(reply.head(len(reply.body) + 100) + reply.body)


def length_longer(front, connection, request):
    """The rest is never sent, and the connection stays open."""
    length_long(front, connection, request)
    connection.recv(1)


def endless(front, connection, request):
    connection.sendall(front.ask(request).head(""))
    while True:
        connection.sendall(b"x" * 65536)


def gzip_bomb(front, connection, request):
    reply = front.ask(request)
    connection.sendall(reply.head(len(front.bomb), "Content-Encoding: gzip") + front.bomb)
    return True


def bomb():
    """200 MiB of zeros in 200 KiB of gzip."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(200)]) + packer.flush()


def throttle(front, connection, _request):
    """429 with a moment at which it ends."""
    connection.sendall(Reply(429, [("Retry-After", "1")], b"").raw())
    return True


def throttle_bare(front, connection, _request):
    connection.sendall(Reply(429, [], b"slow down").raw())
    return True


def expire(front, connection, request):
    """A token is good for so many requests."""
    if front.uses <= front.options.uses:
        return front.pass_on(connection, request)
    connection.sendall(Reply(401, [], b'{"error": "token expired"}').raw())
    return True


def headers_twice(front, connection, request):
    reply = front.ask(request)
    connection.sendall(reply._replace(headers=[each for each in reply.headers for _ in range(2)]).raw())
    return True


def headers_bytes(front, connection, request):
    """Bytes that are no UTF-8 in headers."""
    more = [("X-A", "\xff\xfe\x01 \x85"), ("X-A", ""), ("Link", "<<>>; rel=\xe9"), ("Retry-After", "\xb2")]
    reply = front.ask(request)
    connection.sendall(reply._replace(headers=[*reply.headers, *more]).raw())
    return True


def headers_date(front, connection, request):
    """A date that no calendar has."""
    reply = front.ask(request)
    kept = [each for each in reply.headers if each[0].lower() != "date"]
    connection.sendall(reply._replace(headers=[*kept, ("Date", "Thu, 20 Nov 99999999999999999999 09:15:00 GMT")]).raw())
    return True


def json_with(member):
    """The JSON that the endpoint behind answers, with one member more."""

    def spoil(front, connection, request):
        reply = front.ask(request)
        rest = reply.body[1:] if reply.body.startswith(b'{"') else b"}"
        body = b"{" + member + (b"," if rest != b"}" else b"") + rest
        headers = [each for each in reply.headers if each[0].lower() != "content-type"]
        connection.sendall(Reply(reply.status, [*headers, ("content-type", "application/json")], body).raw())
        return True

    return spoil


def page(refusals):
    """Ten megabytes instead of a refusal, or of an acceptance."""

    def spoil(front, connection, request):
        reply = front.ask(request)
        if (reply.status >= 400) is refusals:
            reply = reply._replace(body=PAGE, headers=[("content-type", "text/html")])
        connection.sendall(reply.raw())
        return True

    return spoil


def gateway_page(front, connection, _request):
    connection.sendall(Reply(502, [("content-type", "text/html")], PAGE).raw())
    return True


def interim(front, connection, request):
    """Early hints, then the answer."""
    connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=next\r\n\r\n" * 20)
    return front.pass_on(connection, request)


def interim_storm(front, connection, request):
    front.ask(request)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def drip_head(front, connection, request):
    drip(connection, front.ask(request).head()[:-2] + b"X-A: ", b"x")


def drip_body(front, connection, request):
    drip(connection, front.ask(request).head(100_000), b"x")


def drip(connection, start, block):
    connection.sendall(start)
    while True:
        time.sleep(0.05)
        connection.sendall(block)


def echo(front, connection, request):
    """Everything that was sent is repeated, headers and all."""
    reply = front.ask(request)
    told = json.dumps({"headers": request.headers, "target": request.target}).encode()
    headers = [each for each in reply.headers if each[0].lower() != "content-type"]
    more = [("content-type", "application/json"), ("x-echo", request.headers.get("authorization", ""))]
    connection.sendall(Reply(reply.status, [*headers, *more], told).raw())
    return True


def echo_broken(front, connection, request):
    """The same where the answer is no HTTP."""
    reset = request.headers.get("authorization", "")
    connection.sendall(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{reset}\r\n".encode())


KINDS = {
    "none": Trouble.pass_on,
    "json-nan": json_with(b'"trouble":[NaN,-Infinity]'),
    "json-huge": json_with(b'"trouble":[1e999,-1E400000,' + b"9" * 6000 + b",0." + b"3" * 6000 + b"]"),
    "json-twice": json_with(b'"trouble":1,"trouble":{"a":2,"a":3}'),
    "json-deep": json_with(b'"trouble":' + b"[" * 200_000 + b"]" * 200_000),
    "json-not-utf8": json_with(b'"trouble":"\xff\xfe\xed\xa0\x80"'),
    "json-large": json_with(b'"trouble":"' + b"x" * (10 << 20) + b'"'),
    "refusal-page": page(refusals=True),
    "success-page": page(refusals=False),
}
KINDS |= {
    each.__name__.replace("_", "-"): each
    for each in (latency, jitter, reset_before, reset_after, half, length_short, length_long, length_longer, endless,
                 gzip_bomb, throttle, throttle_bare, expire, headers_twice, headers_bytes, headers_date, gateway_page, interim,
                 interim_storm, drip_head, drip_body, echo, echo_broken)
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("provider")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--share", type=float, default=1.0, help="of the requests for orders, evenly spread")
    parser.add_argument("--after", type=int, default=0, help="so many requests are left alone first")
    parser.add_argument("--seconds", type=float, default=0.2, help="how long latency and jitter last")
    parser.add_argument("--uses", type=int, default=20, help="how many requests a token is good for")
    options = parser.parse_args()
    pack = providers.load(options.provider)
    account = providers.reference_account(pack)
    endpoint = app.Endpoint(pack, account, behaviour.healthy(pack), credentials=canaries(options.provider))
    with server.running(endpoint) as url, socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        front = Trouble(options.provider, options, url)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}{pack.main.base_path}", flush=True)
        threading.Thread(target=front.accept, args=(listener,), daemon=True).start()
        sys.stdin.read()  # until whoever started it goes away


if __name__ == "__main__":
    main()
