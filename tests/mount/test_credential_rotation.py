# SPDX-License-Identifier: MIT
"""Credentials that change under a mount that is read all the time."""
import concurrent.futures
import filecmp
import os
import subprocess
import threading
import time

import pytest

import aws_fakes
import kvs_server
import mounting

LIFETIME_S = 20
# Three lifetimes; longer where there is time for it.
RUN_S = float(os.environ.get("KVSFS_ROTATION_S") or 3 * LIFETIME_S + 5)
FRAGMENTS = 240
KINDS = ["container", "role", "process", "file", "sso", "instance", "web"]


class Issuer(aws_fakes.Keys):
    """Keys that the server knows from when they are made until they expire."""

    def __init__(self, prefix, server):
        super().__init__(prefix, LIFETIME_S, self.tell)
        self.server = server
        self.timers = []

    def tell(self, key, expired=False):
        self.server.control("credentials", access_key=key.id,
                            secret_key=key.secret, session_token=key.token,
                            expired=expired)
        if not expired:
            timer = threading.Timer(key.expires - time.time(), self.tell,
                                    (key, True))
            timer.daemon = True
            timer.start()
            self.timers.append(timer)

    def close(self):
        for timer in self.timers:
            timer.cancel()


class Way:
    """One way to credentials, with a home of its own."""

    def __init__(self, kind, server, folder):
        self.kind = kind
        self.issuer = Issuer(kind.upper(), server)
        self.fakes = []
        self.folder = folder
        self.ending = threading.Event()
        (folder / ".aws").mkdir(parents=True)
        self.env = mounting.server_environ(server, folder)
        for name in "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY":
            self.env[name] = ""
        getattr(self, kind)()

    def fake(self, made):
        self.fakes.append(made)
        self.env.update(made.environment())
        return made

    def write(self, name, text):
        path = self.folder / ".aws" / name
        temporary = path.with_name(name + ".new")
        temporary.write_text(text)
        temporary.replace(path)

    def container(self):
        self.fake(aws_fakes.FakeContainer(self.issuer))

    def instance(self):
        self.fake(aws_fakes.FakeImds(self.issuer))

    def role(self):
        self.fake(aws_fakes.FakeSts(self.issuer))
        self.write("config", "[default]\nrole_arn = arn:aws:iam::1:role/r\n"
                   "source_profile = b\n[profile b]\naws_access_key_id = A\n"
                   "aws_secret_access_key = b\n")

    def web(self):
        """Its token is replaced more often than it is asked for."""
        sts = self.fake(aws_fakes.FakeSts(self.issuer))
        path = self.folder / ".aws" / "token"
        self.env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(path),
                        AWS_ROLE_ARN="arn:aws:iam::1:role/web")

        def replace(n):
            sts.web_tokens = [f"token-{n - 1}", f"token-{n}"]
            self.write("token", f"token-{n}")

        def keep_replacing():
            n = 1
            while not self.ending.wait(LIFETIME_S / 4):
                n += 1
                replace(n)

        replace(1)
        threading.Thread(target=keep_replacing, daemon=True).start()

    def sso(self):
        self.fake(aws_fakes.FakeSso(self.issuer))
        self.write("config", "[default]\nsso_session = s\nsso_account_id = 4\n"
                   "sso_role_name = R\n[sso-session s]\nsso_region = us-east-1\n"
                   "sso_start_url = https://u\n")
        aws_fakes.write_sso_token(self.folder, "s")

    def process(self):
        """A program that asks another for them, as they all do."""
        fake = aws_fakes.FakeContainer(self.issuer)
        self.fakes.append(fake)
        program = self.folder / "process"
        program.write_text(
            "#!/usr/bin/python3\nimport json, urllib.request\n"
            f"k = json.load(urllib.request.urlopen('{fake.url}/'))\n"
            "print(json.dumps({'Version': 1, 'SessionToken': k['Token'], **k}))")
        program.chmod(0o755)
        self.write("config", f"[default]\ncredential_process = {program}\n")

    def file(self):
        """Rewritten by somebody else before they expire, as many tools do."""
        self.rewrite()
        threading.Thread(target=self.keep_rewriting, daemon=True).start()

    def rewrite(self):
        key = self.issuer.now()
        self.write("credentials", f"[default]\naws_access_key_id = {key.id}\n"
                   f"aws_secret_access_key = {key.secret}\n"
                   f"aws_session_token = {key.token}\n")

    def keep_rewriting(self):
        while not self.ending.wait(LIFETIME_S * 0.6):
            self.rewrite()

    def close(self):
        self.ending.set()
        self.issuer.close()
        for fake in self.fakes:
            fake.__exit__()


@pytest.fixture
def ways(tmp_path):
    streams = [{"name": kind, "clip": "front-door.mkv", "start": "-2h",
                "end": FRAGMENTS} for kind in KINDS]
    with kvs_server.Server(streams=streams) as server:
        made = [Way(kind, server, tmp_path / kind) for kind in KINDS]
        yield server, made
        for way in made:
            way.close()


def copy(m, to, seconds):
    """rsync, slowed down so that it takes so long."""
    size_kib = sum(f.stat().st_size for f in m.path.rglob("*.mkv")) / 1024
    return subprocess.Popen(
        ["rsync", "-a", f"--bwlimit={max(1, int(size_kib / seconds))}",
         f"{m.path}/", f"{to}/"], stderr=subprocess.PIPE, text=True)


def test_no_read_fails(ways, mount, tmp_path):
    server, made = ways
    mounts = [mount(way.kind, "--readahead=0", "--view=fragments",
                    server=server, name=f"mnt-{way.kind}", env=way.env,
                    cache=tmp_path / f"cache-{way.kind}") for way in made]
    began = time.monotonic()
    copies = [copy(m, tmp_path / f"copy-{m.stream}", RUN_S) for m in mounts]
    for rsync, m in zip(copies, mounts):
        _, said = rsync.communicate()
        assert rsync.returncode == 0, f"{m.stream}: {said}\n{m.text()}"
    took = time.monotonic() - began
    assert took > 2 * LIFETIME_S
    for way, m in zip(made, mounts):
        asked = server.ask("requests", stream=way.kind, last=1000)
        refused = [r for r in asked if r["error"]]
        # They are renewed before they expire; but nobody says when a file
        # will be written: a refusal is another reason to look.
        assert way.kind == "file" or not refused, refused
        assert len(way.issuer.given) >= took / LIFETIME_S
        # Nor more often than it takes.
        assert len(way.issuer.given) <= took / LIFETIME_S * 3 + 3
        files = sorted(p.relative_to(m.path) for p in m.path.rglob("*.mkv"))
        assert len(files) == FRAGMENTS
        same, differ, failed = filecmp.cmpfiles(
            m.path, tmp_path / f"copy-{way.kind}", files, shallow=False)
        assert len(same) == FRAGMENTS, (differ, failed)
        assert "WARNING" not in m.text() and "renewed" not in m.text()


def test_an_outage_shorter_than_the_keys(ways, mount):
    """While the old ones are good nobody notices; it is said once."""
    server, made = ways
    way = made[KINDS.index("container")]
    m = mount(way.kind, "--readahead=0", server=server, env=way.env)
    files = iter(sorted(m.path.glob("fragments/*/*/*.mkv")))
    way.fakes[0].mode = "500"
    given = len(way.issuer.given)
    end = time.monotonic() + LIFETIME_S * 0.9
    while time.monotonic() < end and "cannot be renewed" not in m.text():
        next(files).read_bytes()
        time.sleep(0.5)
    assert m.text().count("cannot be renewed") == 1
    next(files).read_bytes()
    way.fakes[0].mode = "ok"
    while len(way.issuer.given) == given:
        next(files).read_bytes()
        time.sleep(0.5)
    next(files).read_bytes()
    assert "credentials are there again" in m.text()


@pytest.mark.parametrize("kind,mode", [("container", "500"), ("role", "503"),
                                       ("instance", "hang"), ("sso", "503"),
                                       ("instance", "500")])
def test_an_outage_longer_than_the_keys(kind, mode, ways, mount):
    """A read waits for whoever hands out keys as it waits for the service."""
    server, made = ways
    way = made[KINDS.index(kind)]
    m = mount(way.kind, "--readahead=0", server=server, env=way.env)
    files = sorted(m.path.glob("fragments/*/*/*.mkv"))
    files[0].read_bytes()
    way.fakes[0].mode = mode
    for key in list(way.issuer.given):
        way.issuer.tell(key, expired=True)
    asked = len(way.fakes[0].requests)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reading = pool.submit(files[1].read_bytes)
        while len(way.fakes[0].requests) < asked + 2:
            assert not reading.done(), m.text()
            time.sleep(0.02)
        way.fakes[0].closing.set()  # what hangs goes on
        way.fakes[0].mode = "ok"
        assert len(reading.result(40)) == files[1].stat().st_size


def test_a_session_that_ends_and_a_new_login(ways, mount):
    """Reads fail with EACCES and say what to do; after that they work again."""
    server, made = ways
    way = made[KINDS.index("sso")]
    m = mount(way.kind, "--readahead=0", server=server, env=way.env)
    files = sorted(m.path.glob("fragments/*/*/*.mkv"))
    files[0].read_bytes()
    way.fakes[0].token = "another"
    for key in way.issuer.given:
        way.issuer.tell(key, expired=True)
    with pytest.raises(PermissionError):
        files[1].read_bytes()
    assert "run 'aws sso login --sso-session s'" in m.text()
    aws_fakes.write_sso_token(way.folder, "s", token="another")
    end = time.monotonic() + 20
    while True:
        try:
            files[1].read_bytes()
            break
        except PermissionError:
            assert time.monotonic() < end, m.text()
            time.sleep(0.2)
