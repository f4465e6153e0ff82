# SPDX-License-Identifier: MIT
"""What the environment says of the way to AWS: proxies, tries, the name we go
by; and a clock that is wrong."""
import base64
import errno
import itertools
import select
import socket
import time

import pytest

import kvs_server
import listening
import mounting
import tls_front


class Proxy:
    """Speaks CONNECT; `asked` is what it was asked for.  password: what it
    wants to see, "user:password"."""

    def __init__(self, password=None):
        self.password = password
        self.asked = []
        self.listening = listening.Listening(self._serve)
        self.port = self.listening.port

    def _serve(self, client):
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            self.asked.append(head.split()[1].decode())
            wanted = self.password and base64.b64encode(self.password.encode())
            if wanted and wanted not in head:
                client.sendall(b"HTTP/1.1 407 Who?\r\n"
                               b"Content-Length: 0\r\n\r\n")
                return
            host, port = self.asked[-1].rsplit(":", 1)
            with socket.create_connection((host, int(port))) as behind:
                client.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
                self._pass(client, behind)

    @staticmethod
    def _pass(a, b):
        while True:
            ready, _, _ = select.select([a, b], [], [])
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                (b if one is a else a).sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.listening.close()


@pytest.fixture
def front(server, tmp_path):
    with tls_front.TlsFront(server.url, tmp_path) as f:
        yield f


def read_one(m):
    sorted(m.path.glob("fragments/*/*/*.mkv"))[0].read_bytes()


@pytest.mark.parametrize("password", [None, "me:hush"])
def test_a_proxy(password, front, mount):
    with Proxy(password) as proxy:
        user = f"{password}@" if password else ""
        m = mount("front-door", env={
            **front.environment(),
            "HTTPS_PROXY": f"http://{user}127.0.0.1:{proxy.port}"})
        read_one(m)
        port = front.url.rsplit(":", 1)[1]
        assert set(proxy.asked) == {f"localhost:{port}"}


@pytest.mark.parametrize("no_proxy", ["localhost", "*", ".example,localhost"])
def test_a_proxy_that_is_not_for_it(no_proxy, front, mount):
    with Proxy() as proxy:
        m = mount("front-door", env={
            **front.environment(), "NO_PROXY": no_proxy,
            "HTTPS_PROXY": f"127.0.0.1:{proxy.port}"})
        read_one(m)
        assert not proxy.asked


def fails(mount, env, *options):
    m = mount("front-door", *options, env=env, start=False)
    with pytest.raises(mounting.MountFailed) as failed:
        m.start()
    return failed.value.stderr


def test_a_proxy_that_refuses(front, mount):
    with Proxy("me:hush") as proxy:
        said = fails(mount, {
            **front.environment(),
            "HTTPS_PROXY": f"http://me:wrong@127.0.0.1:{proxy.port}"},
            "--timeout=2s")
        assert "407" in said and "wrong" not in said


def test_a_proxy_that_is_none(front, mount):
    for proxy in "ftp://me:hush@localhost", "http://":
        said = fails(mount, {**front.environment(), "HTTPS_PROXY": proxy})
        assert "HTTPS_PROXY" in said and "hush" not in said


@pytest.mark.parametrize("value,tries", [("1", 1), ("3", 3)])
def test_max_attempts(value, tries, server, mount):
    server.fault("error", api="DescribeStream", count=-1)
    before = server.stats()["DescribeStream"]["requests"]
    began = time.monotonic()
    said = fails(mount, {"AWS_MAX_ATTEMPTS": value})
    assert "InternalFailure" in said
    assert time.monotonic() - began < 10
    assert server.stats()["DescribeStream"]["requests"] - before == tries


@pytest.mark.parametrize("kind", ["error", "throttle"])
def test_max_attempts_of_a_read(kind, server, mount):
    m = mount("front-door", env={"AWS_MAX_ATTEMPTS": "2"})
    path = sorted(m.path.glob("fragments/*/*/*.mkv"))[0]
    server.fault(kind, api="GetMediaForFragmentList", count=-1)
    before = server.stats()["GetMediaForFragmentList"]["requests"]
    with pytest.raises(OSError) as failed:
        path.read_bytes()
    assert failed.value.errno == errno.ETIMEDOUT
    asked = server.stats()["GetMediaForFragmentList"]["requests"] - before
    assert asked == 2


@pytest.mark.parametrize("app", [None, "my app"])
def test_the_name_we_go_by(app, mount):
    heads = []

    def note(client):
        """And answer nothing."""
        with client:
            heads.append(client.recv(65536).decode())

    listener = listening.Listening(note)
    try:
        fails(mount, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.port}",
                      "AWS_MAX_ATTEMPTS": "1",
                      **({"AWS_SDK_UA_APP_ID": app} if app else {})})
    finally:
        listener.close()
    agent, = {line for head in heads for line in head.splitlines()
              if line.startswith("User-Agent:")}
    assert agent.startswith("User-Agent: kvsfs/")
    assert agent.endswith(" app/my-app") == bool(app)


@pytest.mark.parametrize("offset,word", [("-2h", "fast"), ("+20m", "slow")])
def test_a_clock_that_is_wrong(offset, word, mount):
    """Every first request of each call would be refused."""
    with kvs_server.Server(args=["--clock", offset]) as server:
        m = mount("front-door", server=server)
        for path in itertools.islice(sorted(m.path.glob("*/*/*/*.mkv")), 3):
            path.read_bytes()
        said = [line for line in m.text().splitlines() if "clock is" in line]
        assert len(said) == 1 and f" s {word}:" in said[0]
        assert "timedatectl" in said[0]
        # Once is enough to learn it.
        refused = [r for r in server.ask("requests", last=1000) if r["error"]]
        assert len(refused) == 1
        m.stop()
