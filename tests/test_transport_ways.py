"""The ways to an endpoint: TLS is verified, proxies come from the environment, and credentials reach nobody else."""

import base64
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from byteserver import OK, SOON, answered, serving

from conformance.auth import TokenEndpoint
from conformance.errors import UserError
from conformance.model import Request
from conformance.scrub import Vault
from conformance.transport import Files, HttpTransport, check_ways

NOW = datetime(2026, 11, 20, 9, 15, tzinfo=UTC)
SECRET = "sk_live_9f8e7d6c5b4a"
PASSWORD = "pr0xy/p@ss word"
POST = Request("POST", "/orders", body=b"[]", headers=(("authorization", "Bearer {{access_token}}"),))
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
UNSENT = " (nothing was sent)"
UNKNOWN = (
    "the certificate was issued by nobody that this machine trusts; if it should be trusted,"
    " name the issuer's certificate with --ca-bundle=FILE"
)
NO_PAIR = (
    "no certificate with its private key (PEM, without a passphrase); the key may be in a file of its own:"
    " --client-key=FILE"
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """The shell's own proxies are none of these tests' business."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def connect():
    """Makes transports, and closes them afterwards."""
    made = []

    def make(url, **options):
        secrets = options.pop("secrets", None) or Vault({"access_token": SECRET})
        made.append(HttpTransport(url, secrets, **{"timeout": SOON, **options}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def send(carrier, request=POST):
    return carrier.send(request, "create-orders", "x0001", NOW)


def trouble(exchange):
    assert exchange.response is None
    return exchange.trouble.kind, exchange.trouble.detail


# Certificates


class Authority:
    """Issues certificates, by the openssl of the machine."""

    def __init__(self, folder):
        if shutil.which("openssl") is None:
            pytest.skip("no openssl to make certificates with")
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self._openssl("req", "-x509", *self._new("ca"), "-out", self.certificate, "-days", "2", "-subj", "/CN=Test CA")

    def issue(self, name, *hosts, days=2):
        """The files of a certificate for these hosts and of its key."""
        request, extensions, certificate = (self.folder / f"{name}.{end}" for end in ("csr", "ext", "pem"))
        extensions.write_text("subjectAltName=" + ",".join(hosts or ("DNS:nobody.example",)) + "\n")
        self._openssl("req", *self._new(name), "-out", request, "-subj", f"/CN={name}")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, self.folder / f"{name}.key"

    def _new(self, name):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.folder / f"{name}.key"

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority):
    """A certificate that is right for loopback and for ``orders.example``."""
    return authority.issue("right", "IP:127.0.0.1", "DNS:orders.example")


def over_tls(pair, clients=None):
    """Wraps a listener in TLS; clients have to show a certificate of ``clients`` where that is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return lambda listener: context.wrap_socket(listener, server_side=True)


def secure(server):
    return server.url.replace("http:", "https:")


def test_a_bundle_makes_a_certificate_trusted(connect, authority, issued):
    with serving(OK, wrap=over_tls(issued)) as server:
        carrier = connect(secure(server), files=Files(str(authority.certificate)))
        assert [send(carrier).response.status for _ in range(2)] == [201, 201]
    assert server.connections == 1
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("host", "days", "trusted", "reason"),
    [
        ("IP:127.0.0.1", 2, False, UNKNOWN),
        ("IP:127.0.0.1", -1, True, "the certificate has expired"),
        ("IP:127.0.0.2", 2, True, "the certificate is for another host"),
        ("DNS:orders.example", 2, True, "the certificate is for another host"),
    ],
    ids=["unknown-issuer", "expired", "other-address", "other-name"],
)  # fmt: skip
def test_a_wrong_certificate_is_refused_with_what_is_wrong(connect, authority, *, host, days, trusted, reason):
    pair = authority.issue("wrong", host, days=days)
    files = Files(str(authority.certificate)) if trusted else Files()
    with serving(OK, wrap=over_tls(pair)) as server:
        assert trouble(send(connect(secure(server), files=files))) == ("connect", reason + UNSENT)
    assert server.seen == []


def test_an_endpoint_that_speaks_no_tls_is_told(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: listener.accept()[0].sendall(OK))
        kind, detail = trouble(send(connect(f"https://127.0.0.1:{listener.getsockname()[1]}")))
    assert kind == "connect"
    assert detail == "no TLS is spoken there; is it http:// and not https://?" + UNSENT


def test_a_handshake_that_hangs_is_cut_off_in_time(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        found = trouble(send(connect(f"https://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3)))
        assert time.monotonic() - started < 3
    assert found == ("connect", "no connection within 0.3 s (nothing was sent)")


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-A: "], ids=["silent", "drips"])
def test_the_deadline_holds_inside_tls(connect, authority, issued, start):
    def answer(connection, _request, _number):
        connection.sendall(start)
        server.pour(connection, b"x" if start else b"", pause=0.02)

    with serving(answer, wrap=over_tls(issued)) as server:
        started = time.monotonic()
        carrier = connect(secure(server), files=Files(str(authority.certificate)), timeout=0.8)
        found = trouble(send(carrier))
        assert time.monotonic() - started < 3
    assert found == ("timeout", "nothing within 0.8 s (the request may have arrived)")
    assert len(server.seen) == 1


@pytest.mark.parametrize("together", [False, True], ids=["two-files", "one-file"])
def test_a_client_certificate_is_shown(connect, authority, issued, tmp_path, together):
    certificate, key = authority.issue("client")
    if together:
        both = tmp_path / "client.pem"
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        certificate, key = both, ""
    files = Files(str(authority.certificate), str(certificate), str(key))
    with serving(OK, wrap=over_tls(issued, authority.certificate)) as server:
        assert send(connect(secure(server), files=files)).response.status == 201


def test_a_client_certificate_that_is_missing_is_asked_for(connect, authority, issued):
    with serving(OK, wrap=over_tls(issued, authority.certificate)) as server:
        found = trouble(send(connect(secure(server), files=Files(str(authority.certificate)))))
    assert "--client-cert=FILE" in found[1]
    assert server.seen == []


@pytest.fixture
def files(authority, tmp_path):
    """Files that are good for something, and some that are good for nothing, by name."""
    certificate, key = authority.issue("client")
    other = authority.issue("other")[1]
    (tmp_path / "text.pem").write_text("hello")
    (tmp_path / "locked.key").write_bytes(
        subprocess.run(
            ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", key], check=True, capture_output=True
        ).stdout
    )
    return {
        "CERT": certificate, "KEY": key, "OTHER": other, "TEXT": tmp_path / "text.pem", "FOLDER": tmp_path,
        "GONE": tmp_path / "gone.pem", "LOCKED": tmp_path / "locked.key",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--ca-bundle=GONE", "--ca-bundle=GONE: No such file or directory"),
        ("--ca-bundle=FOLDER", "--ca-bundle=FOLDER: Is a directory"),
        ("--ca-bundle=TEXT", "--ca-bundle=TEXT: there is no certificate (PEM) in it"),
        ("--client-cert=GONE", "--client-cert=GONE: No such file or directory"),
        ("--client-key=KEY", "--client-key=KEY: name the certificate too, with --client-cert=FILE"),
        ("--client-cert=CERT --client-key=OTHER", "--client-cert=CERT: the private key belongs to another certificate"),
        ("--client-cert=CERT", f"--client-cert=CERT: {NO_PAIR}"),
        ("--client-cert=CERT --client-key=LOCKED", f"--client-key=LOCKED: {NO_PAIR}"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_such_thing_is_one_line(run_pytest, tmp_path, files, options, message):
    """Exit 4 before anything is sent, and nobody is asked for a passphrase."""
    for name, path in files.items():
        options = options.replace(f"={name}", f"={path}")
        message = message.replace(f"={name}:", f"={path}:")
    with serving(OK) as server:
        arguments = ("--provider=atlast", f"--endpoint={server.url}", *options.split())
        outcome = run_pytest(tmp_path, *arguments, env={"ATLAST_ACCESS_TOKEN": SECRET})
    assert outcome.ret == 4
    assert outcome.errors() == [f"ERROR: {message}"]
    assert server.connections == 0


def test_a_bundle_may_stand_in_the_ini_file(run_pytest, tmp_path, authority, issued):
    """As every option; the run over TLS gets its answers."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nconformance_ca_bundle = {authority.certificate}\n")
    with serving(answered("401 Unauthorized"), wrap=over_tls(issued)) as server:
        arguments = ("--provider=atlast", f"--endpoint={secure(server)}", "--case=AL-034/reference.too-short")
        outcome = run_pytest(tmp_path, *arguments, "--report=out", env={"ATLAST_ACCESS_TOKEN": SECRET})
    assert "401" in outcome.report["run"]["stopped"]
    assert len(server.seen) > 0


# Proxies


def tunnelling(to):
    """A proxy that connects everything to one place, whatever host it is asked for."""

    def answer(connection, request, _number):
        if request.method != "CONNECT":
            connection.sendall(OK)
            return True
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", to)) as behind:
            threading.Thread(target=pump, args=(connection, behind), daemon=True).start()
            pump(behind, connection)
        return False

    return answer


def pump(source, sink):
    try:
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def port_of(server):
    return int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_plain_requests_go_through_the_proxy(connect, monkeypatch, variable):
    with serving(OK) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert send(connect("http://orders.example:8080/v1")).response.status == 201
    assert proxy.seen[0].target == "http://orders.example:8080/v1/orders"
    assert proxy.seen[0].headers["host"] == "orders.example:8080"
    assert proxy.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "proxy-authorization" not in proxy.seen[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_goes_through_the_proxy_unseen(connect, monkeypatch, authority, issued, scheme):
    """The proxy is told the host, and nothing of the request; it may be spoken to by TLS itself."""
    wrap = over_tls(issued) if scheme == "https" else None
    with serving(OK, wrap=over_tls(issued)) as server, serving(tunnelling(port_of(server)), wrap=wrap) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http:", f"{scheme}:"))
        carrier = connect("https://orders.example", files=Files(str(authority.certificate)))
        assert [send(carrier).response.status for _ in range(2)] == [201, 201]
    (asked,) = proxy.seen
    assert (asked.method, asked.target) == ("CONNECT", "orders.example:443")
    assert "authorization" not in asked.headers
    assert [each.target for each in server.seen] == ["/orders", "/orders"]


@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_a_login_for_the_proxy_goes_to_the_proxy_alone(connect, monkeypatch, caplog, authority, issued, *, secured):
    """Nor is it told when the proxy repeats it, in any form."""
    caplog.set_level("DEBUG")
    pair = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    echo = answered(body=json.dumps({"password": PASSWORD, "header": pair}).encode())
    scheme = "https" if secured else "http"
    with (
        serving(echo, wrap=over_tls(issued)) as server,
        serving(tunnelling(port_of(server)) if secured else echo) as proxy,
    ):
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url.replace("http://", "http://me:pr0xy%2Fp%40ss%20word@"))
        exchange = send(connect(f"{scheme}://orders.example", files=Files(str(authority.certificate))))
    assert proxy.seen[0].headers["proxy-authorization"] == f"Basic {pair}"
    assert all("proxy-authorization" not in each.headers for each in server.seen)
    assert PASSWORD not in caplog.text
    assert "pr0xy" not in caplog.text
    assert pair not in caplog.text
    assert exchange.response.body == b'{"password": "{{proxy_password}}", "header": "{{proxy_authorization}}"}'


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_what_is_on_this_machine_is_never_reached_through_a_proxy(connect, monkeypatch, host):
    with serving(OK) as proxy, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        kind, _ = trouble(send(connect(f"http://{host}:{closed.getsockname()[1]}")))
    assert kind == "connect"
    assert proxy.connections == 0


@pytest.mark.parametrize("exempt", ["orders.example", ".example", "example", "a.example, orders.example:8080", "*"])
def test_a_host_may_be_exempt_from_the_proxy(connect, monkeypatch, exempt):
    with serving(OK) as proxy, serving(OK) as server:
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port_of(server)))]
        )  # fmt: skip
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exempt)
        assert send(connect("http://orders.example:8080")).response.status == 201
    assert (proxy.connections, server.connections) == (0, 1)


@pytest.mark.parametrize(
    "url", ["ftp://me:pr0xypass@proxy.example:21", "http://me:pr0xypass@proxy.example:port", "http://"]
)
def test_a_proxy_that_is_none_is_told_without_its_password(monkeypatch, url):
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(UserError) as caught:
        check_ways("https://orders.example", Files())
    assert str(caught.value) == "HTTPS_PROXY in the environment: not an http or https URL; write http://host:port"
    check_ways("http://orders.example", Files())


def test_a_proxy_without_a_scheme_is_an_http_proxy(connect, monkeypatch):
    with serving(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        assert send(connect("http://orders.example")).response.status == 201


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered("407 Proxy Authentication Required"), "Tunnel connection failed: 407 Proxy Authentication Required"),
        (b"220 mail.example.com\r\n\r\n", "the answer is no HTTP"),
        (answered("502 no " + SECRET), "Tunnel connection failed: 502 no {{proxy_password}}"),
    ],
    ids=["login", "other-protocol", "echo"],
)
def test_trouble_with_the_proxy_is_told_as_such(connect, monkeypatch, answer, reason):
    with serving(answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", f"http://me:{SECRET}@"))
        carrier = connect("https://orders.example", secrets=Vault({}))
        assert trouble(send(carrier)) == ("connect", f"through the proxy: {reason}{UNSENT}")


def test_a_proxy_that_is_not_there_is_told_as_such(connect, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        found = trouble(send(connect("https://orders.example")))
    assert found == ("connect", f"through the proxy: Connection refused{UNSENT}")


def test_a_proxy_that_drips_is_cut_off_in_time(connect, monkeypatch):
    def answer(connection, _request, _number):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        proxy.pour(connection, b"x", pause=0.02)

    with serving(answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        started = time.monotonic()
        found = trouble(send(connect("https://orders.example", timeout=0.3)))
        assert time.monotonic() - started < 3
    assert found[1].endswith("no connection within 0.3 s (nothing was sent)")


# Credentials


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_the_clients_secret_follows_no_redirect(connect, status):
    secrets = Vault({"client_id": "client-1234", "client_secret": SECRET})
    with serving(OK) as elsewhere, serving(answered(status, f"Location: {elsewhere.url}/token")) as server:
        token = (f"{server.url}/token", TokenEndpoint("/token", "json"))
        kind, detail = trouble(send(connect(server.url, secrets=secrets, token=token)))
    assert kind == "credentials"
    assert f"status {status[:3]}" in detail
    assert elsewhere.connections == 0
    assert [each.target for each in server.seen] == ["/token"]
