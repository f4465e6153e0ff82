# SPDX-License-Identifier: MIT
"""Secrets stay where they belong: not in logs, messages, process lists, files,
nor in memory once they were replaced."""
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

import aws_fakes
import mounting
from test_credential_rotation import Way

PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "planted+session/token==",
    "HTTPS_PROXY": "http://me:planted-proxy-password@127.0.0.1:9",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "planted-container-token",
}
WORDS = ["wJalrXUtnFEMI", "planted", "the-client-secret", "good-refresh",
         "good-token"]




def texts(m, *more):
    """All that a running mount has said or shows to others."""
    proc = pathlib.Path("/proc") / str(m.process.pid)
    yield "log", m.text()
    yield "ps", subprocess.run(["ps", "-ww", "-o", "args,comm", "-p",
                                str(m.process.pid)], capture_output=True,
                               text=True, check=True).stdout
    yield "threads", "".join(t.read_text() for t in proc.glob("task/*/comm"))
    yield "mounts", pathlib.Path("/proc/mounts").read_text()
    for path in m.cache.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes().decode("latin-1")
    yield from more


def clean(found, secrets):
    for where, text in found:
        for secret in secrets:
            assert secret not in text, f"{secret} is in {where}"


def check(env, *args):
    """What `kvsfs check` says, in both forms."""
    for form in [], ["--json"]:
        done = subprocess.run([mounting.KVSFS, "check", "--log-level=debug",
                               *form, *args], env=env, text=True,
                              capture_output=True, check=False)
        yield f"check {form}", done.stdout + done.stderr


def test_of_the_environment(server, mount):
    server.control("credentials", access_key="AKIDEXAMPLE",
                   secret_key=PLANTED["AWS_SECRET_ACCESS_KEY"],
                   session_token=PLANTED["AWS_SESSION_TOKEN"])
    m = mount("front-door", env=PLANTED)
    sorted(m.path.glob("fragments/*/*/*.mkv"))[0].read_bytes()
    clean(texts(m, *check(m.env, "front-door")), WORDS)
    # A refusal repeats none, either.
    for change in [{"AWS_ACCESS_KEY_ID": "AKIDOTHER"},
                   {"AWS_SESSION_TOKEN": "planted-old"},
                   {"AWS_ACCESS_KEY_ID": "AKID with a blank"},
                   {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"},
                   {"AWS_ENDPOINT_URL": "https://me:planted@localhost"},
                   {"AWS_ENDPOINT_URL": "https://nowhere.invalid"}]:
        env = {**m.env, **change}
        clean(check(env, "front-door"), WORDS)


@pytest.mark.parametrize("kind", ["container", "role", "process", "sso",
                                  "instance", "file"])
def test_of_those_who_are_asked(kind, server, mount, tmp_path):
    way = Way(kind, server, tmp_path / "way")
    try:
        if kind == "sso":
            aws_fakes.write_sso_token(way.folder, "s", lives_s=60,
                                      refresh="good-refresh")
        env = {**way.env, **{k: v for k, v in PLANTED.items()
                             if k.startswith(("HTTPS", "AWS_CONT"))}}
        m = mount("front-door", env=env)
        sorted(m.path.glob("fragments/*/*/*.mkv"))[0].read_bytes()
        checked = list(check(m.env, "front-door"))
        for mode in "403", "not-json", "missing-field", "huge":
            for fake in way.fakes:
                fake.mode = mode
            checked += check(m.env, "front-door")
        secrets = [s for k in way.issuer.given for s in (k.secret, k.token)]
        assert secrets
        clean(texts(m, *checked), WORDS + secrets)
    finally:
        way.close()


def in_memory(pid, secrets):
    """Which of them a process has anywhere."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, \
            open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        for line in maps:
            span = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not span:
                continue
            start, end = (int(x, 16) for x in span.groups())
            for at in range(start, end, 1 << 24):
                try:
                    memory.seek(at)
                    # One that lies across a cut is in the next piece whole.
                    piece = memory.read(min((1 << 24) + 64, end - at))
                except OSError:
                    continue
                found |= {s for s in secrets if s.encode() in piece}
    return found


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to look into memory")
@pytest.mark.parametrize("kind", ["file", "container", "role", "sso",
                                  "process", "instance"])
def test_what_was_replaced_is_wiped(kind, server, mount, tmp_path):
    if re.search(b"__[at]san_init", mounting.KVSFS.read_bytes()):
        pytest.skip("a sanitizer keeps what was freed")
    way = Way(kind, server, tmp_path / "way")
    way.issuer.lifetime_s = 9
    way.ending.set()
    try:
        m = mount("front-door", "--readahead=0", env=way.env)
        files = iter(sorted(m.path.glob("fragments/*/*/*.mkv")))
        next(files).read_bytes()
        first = way.issuer.given[0].secret
        if kind == "file":
            assert first in in_memory(m.process.pid, [first])
            way.rewrite()
        used = way.issuer.given[-1] if kind == "file" else None
        end = time.monotonic() + 30
        while True:
            next(files).read_bytes()
            used = way.issuer.given[1] if len(way.issuer.given) > 1 else None
            if used and in_memory(m.process.pid, [used.secret]) and \
                    not in_memory(m.process.pid, [first]):
                break
            assert time.monotonic() < end, "the old one is still there"
            time.sleep(0.3)
    finally:
        way.close()


def core_of(command, folder, env):
    """Is there a core dump of it after it has crashed?"""
    process = subprocess.Popen(
        command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
    return process


def test_no_core_dump(server, mount, tmp_path):
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/")):
        pytest.skip("core dumps go elsewhere on this machine")
    sleeper = core_of(["sleep", "60"], tmp_path, None)
    sleeper.send_signal(signal.SIGSEGV)
    sleeper.wait()
    if not list(tmp_path.glob("core*")):
        pytest.skip("this machine leaves no core dumps")
    for core in tmp_path.glob("core*"):
        core.unlink()
    m = mount("front-door", start=False)
    m.path.mkdir()
    process = core_of(m.command(), tmp_path, m.env)
    while not mounting.is_mounted(m.path):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGSEGV)
    process.wait()
    subprocess.run(["umount", "-l", m.path], check=False)
    assert not list(tmp_path.glob("core*"))
