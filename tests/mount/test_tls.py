# SPDX-License-Identifier: MIT
"""As it is with AWS: every call goes through TLS."""
import pytest

import mounting
import tls_front


@pytest.fixture
def front(request, server, tmp_path):
    with tls_front.TlsFront(server.url, tmp_path,
                            **getattr(request, "param", {})) as f:
        yield f


def files(m):
    return sorted((m.path / "fragments").glob("*/*/*.mkv"))


def test_a_session_is_taken_up_again(front, mount):
    """A handshake costs a round trip and the server's signature; with a ticket
    of an earlier one it does not."""
    m = mount("front-door", env=front.environment())
    one, other = files(m)[:2]
    assert len(one.read_bytes()) == one.stat().st_size
    before = len(front.handshakes)
    front.hang_up()
    assert len(other.read_bytes()) == other.stat().st_size
    assert front.handshakes[0].resumed is False
    again = front.handshakes[before:]
    # Of several that connect at once curl 7.88 has some begin anew.
    assert any(h.resumed for h in again)


def test_a_connection_is_for_one_call_at_a_time(front, mount):
    """The service gives each connection 25 MB/s: calls that share one, as
    HTTP/2 would have it, share that."""
    m = mount("front-door", env=front.environment())
    files(m)[0].read_bytes()
    assert {h.alpn for h in front.handshakes} == {"http/1.1"}


def fails(mount, env):
    m = mount("front-door", env=env, start=False)
    with pytest.raises(mounting.MountFailed) as failed:
        m.start()
    return failed.value.stderr


def test_a_certificate_that_nobody_vouches_for(front, mount):
    env = front.environment()
    del env["AWS_CA_BUNDLE"]
    said = fails(mount, env)
    assert "certificate" in said and "AWS_CA_BUNDLE" in said


@pytest.mark.parametrize("front", [{"name": "elsewhere.example"}], indirect=True)
def test_a_certificate_of_somebody_else(front, mount):
    said = fails(mount, front.environment())
    assert "certificate" in said and "localhost" in said
