# SPDX-License-Identifier: MIT
"""Mistakes: one line that says what and how to mend it, exit 1, nothing
mounted, nothing written."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import kvs_server
import mounting

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
NOBODY = 65534


def snapshot(folder):
    return {(str(p.relative_to(folder)), p.lstat().st_size, p.lstat().st_mtime)
            for p in folder.rglob("*")}


class Case:
    """A home with a mountpoint, and everything one needs to be let in."""

    def __init__(self, home):
        self.home = home
        self.path = home / "video"
        self.path.mkdir()
        # Nobody listens there: who gets that far fails in time.
        self.env = mounting.clean_environ(
            home, XDG_CACHE_HOME=home / "caches", AWS_REGION="us-east-1",
            AWS_ACCESS_KEY_ID=kvs_server.ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=kvs_server.SECRET_KEY,
            AWS_ENDPOINT_URL="http://127.0.0.1:1")

    def run(self, *args, before=(), cwd=None):
        return subprocess.run(
            [*before, str(mounting.KVSFS), *map(str, args)], env=self.env,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, check=False, cwd=cwd)

    def refused(self, *args, says, watch=None, before=()):
        """The one line, after all that is promised of it was checked."""
        watch = watch or self.home
        files = snapshot(watch)
        mounts = pathlib.Path("/proc/self/mounts").read_text()
        done = self.run(*args, before=before)
        assert done.returncode == 1, done
        assert done.stdout == ""
        assert done.stderr.startswith("kvsfs: "), done.stderr
        assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), \
            done.stderr
        for word in [says] if isinstance(says, str) else says:
            assert word in done.stderr, done.stderr
        assert mounted_here(watch) == mounted_here(watch, mounts)
        assert snapshot(watch) == files
        return done.stderr


def mounted_here(folder, text=None):
    text = text or pathlib.Path("/proc/self/mounts").read_text()
    return [line for line in text.splitlines() if f" {folder}/" in line]


@pytest.fixture
def case(kvsfs, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Case(home)


@pytest.fixture
def served(case, server):
    case.env.update(server.environment())
    case.server = server
    return case


OPTIONS = [
    (["--regoin=x"], "did you mean --region?"),
    (["-o", "allow_othr"], "did you mean -o allow"),
    (["--quux"], "kvsfs mount --help"),
    (["-o", "region"], "needs a value"),
    (["--cache-size=ten"], "'ten' is no value for --cache-size"),
    (["--cache-size=10"], "1048576"),
    (["--cache-min-free=100%"], "below 100%"),
    (["--bucket=week"], "day, hour, minute"),
    (["--view=films"], "fragments, movies, both"),
    (["--timestamps=mine"], "producer, server"),
    (["--timeout=0"], "--timeout"),
    (["--metadata-ttl=-1"], "--metadata-ttl"),
    (["--uid=root"], "--uid"),
    (["--umask=8"], "octal"),
    (["--log-level=loud"], "error, warning, info, debug"),
    (["--endpoint-url=nonsense"], "nonsense"),
    (["--endpoint-url=http://u:p@host/"], "user name"),
    (["--region=not a region"], "no region"),
]


@pytest.mark.parametrize("options,says", OPTIONS)
def test_options(case, options, says):
    case.refused("mount", *options, "cam", case.path, says=says)


def test_operands(case):
    case.refused("mount", says="the stream is missing")
    case.refused("mount", "cam", says="the mountpoint is missing")
    case.refused("mount", "a", case.path, "b", says="one argument too many")
    case.refused("mount", "", case.path, says="empty")
    case.refused(says="--help")
    case.refused("mont", says="did you mean 'mount'?")
    case.refused("cache", "infoo", says="did you mean info")


def test_one_line_whatever_is_in_it(case):
    line = case.refused("mount", "cam", case.path / "no\nsuch\x1b[31m",
                        says="does not exist")
    assert "\\n" in line and "\\x1b" in line


def test_no_credentials(case):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del case.env[name]
    case.refused("mount", "cam", case.path, says=["credentials",
                                                  "aws configure"])


def test_half_of_the_credentials(case):
    del case.env["AWS_SECRET_ACCESS_KEY"]
    case.refused("mount", "cam", case.path, says="AWS_SECRET_ACCESS_KEY")


def test_no_region(case):
    del case.env["AWS_REGION"]
    case.refused("mount", "cam", case.path, says=["region", "--region"])


def test_no_such_profile(case):
    case.refused("mount", "--profile=gone", "cam", case.path,
                 says="no profile 'gone'")


def test_mountpoint(case):
    case.refused("mount", "cam", case.home / "gone",
                 says=["does not exist", "mkdir"])
    (case.home / "file").write_text("")
    case.refused("mount", "cam", case.home / "file", says="not a folder")


def test_already_mounted(served, mount):
    m = mount("front-door", server=served.server)
    served.refused("mount", "front-door", m.path,
                   says=["already", "fusermount3 -u"])


def test_dead_mount(served, mount):
    m = mount("front-door", server=served.server)
    m.process.kill()
    m.process.wait()
    m.process = None
    try:
        served.refused("mount", "front-door", m.path,
                       says=["ended", "fusermount3 -u"])
    finally:
        subprocess.run(["fusermount3", "-uz", m.path], check=True)


def test_foreign_cache_directory(case):
    folder = case.home / "documents"
    folder.mkdir(mode=0o700)
    (folder / "thesis.txt").write_text("years of work")
    for action in (["mount", "cam", case.path], ["cache", "clear"],
                   ["cache", "info"]):
        case.refused(action[0], f"--cache-dir={folder}", *action[1:],
                     says=str(folder))
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_cache_directory_is_a_file(case):
    (case.home / "file").write_text("")
    case.refused("mount", f"--cache-dir={case.home}/file", "cam", case.path,
                 says=f"{case.home}/file")


def test_cache_directory_open_to_others(case):
    folder = case.home / "open"
    folder.mkdir()
    folder.chmod(0o777)
    case.refused("mount", f"--cache-dir={folder}", "cam", case.path,
                 says="chmod")


@AS_ROOT
def test_somebody_elses_cache_directory(case):
    folder = case.home / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    case.refused("mount", f"--cache-dir={folder}", "cam", case.path,
                 says=str(folder))


def test_an_empty_cache_directory_stays_empty(served):
    folder = served.home / "empty"
    folder.mkdir(mode=0o700)
    done = served.run("mount", f"--cache-dir={folder}", "no-such-stream",
                      served.path)
    assert done.returncode == 1 and "no-such-stream" in done.stderr
    assert os.listdir(folder) == []


def test_no_such_stream(served):
    served.refused("mount", "no-such-stream", served.path,
                   says=["no-such-stream", "--region"])
    arn = ("arn:aws:kinesisvideo:us-east-1:123456789012:stream/gone/"
           "1700000000000")
    served.refused("mount", arn, served.path, says="gone")


def test_wrong_region(served):
    served.refused("mount", "--region=eu-west-1", "front-door", served.path,
                   says=["eu-west-1", "region"])


def test_arn_of_another_region(served):
    arn = ("arn:aws:kinesisvideo:eu-west-1:123456789012:stream/front-door/"
           "1700000000000")
    served.refused("mount", arn, served.path, says="eu-west-1")


def test_expired_token(served):
    served.server.control(
        "credentials", access_key="ASIAEXPIRED", secret_key="secret",
        session_token="token", expired=True)
    served.env.update(AWS_ACCESS_KEY_ID="ASIAEXPIRED",
                      AWS_SECRET_ACCESS_KEY="secret",
                      AWS_SESSION_TOKEN="token")
    served.refused("mount", "front-door", served.path,
                   says=["credentials", "expire"])


def test_wrong_secret(served):
    served.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
    served.refused("mount", "front-door", served.path, says="credentials")


def test_nobody_answers(case):
    case.refused("mount", "--timeout=2", "cam", case.path,
                 says=["no answer", "--endpoint-url"])


@pytest.mark.parametrize(
    "server", [{"streams": [{"name": "forgetful", "clip": "lobby.mkv",
                              "retention_hours": 0}]}],
    indirect=True)
def test_stream_without_retention(served):
    served.refused("mount", "forgetful", served.path, says="retention")


@pytest.mark.parametrize("kind", ["not-json", "truncated-json", "huge-json"])
def test_answer_that_is_none(served, kind):
    served.server.fault(kind, count=-1)
    served.refused("mount", "--timeout=3", "front-door", served.path,
                   says="front-door")


@AS_ROOT
def test_no_fuse_device(case):
    case.refused("mount", "-f", "cam", case.path, says=["/dev/fuse", "modprobe"],
                 before=["unshare", "-m", "sh", "-c",
                         'mount -t tmpfs none /dev && exec "$@"', "sh"])


@pytest.fixture
def for_nobody(kvsfs):
    """A home of a user who is not root, who has the program."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    home = pathlib.Path(tempfile.mkdtemp(prefix="kvsfs-nobody-", dir="/tmp"))
    beside = tempfile.mkdtemp(prefix="kvsfs-dev-", dir="/tmp")
    os.chown(home, NOBODY, NOBODY)
    shutil.copy(kvsfs, home / "kvsfs")
    made = Case(home)
    os.chown(made.path, NOBODY, NOBODY)
    # Containers have it for root alone, Debian's udev for everybody.
    everybody = ["unshare", "-m", "sh", "-c",
                 f"mknod -m 666 {beside}/fuse c 10 229 && mount --bind "
                 f'{beside}/fuse /dev/fuse && rm {beside}/fuse && exec "$@"',
                 "sh"]
    made.nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                   "--clear-groups", "sh", "-c",
                   'shift; exec "$0" "$@"', home / "kvsfs"]
    allowed = os.stat("/dev/fuse").st_mode & 0o006 == 0o006
    made.before = ([] if allowed else everybody) + made.nobody
    yield made
    shutil.rmtree(home)
    shutil.rmtree(beside)


def test_fuse_not_permitted(for_nobody):
    """A user who may not open /dev/fuse."""
    hide = ["unshare", "-m", "sh", "-c",
            'mount -t tmpfs none /dev && mknod -m 600 /dev/fuse c 10 229 && '
            'exec "$@"', "sh"]
    for_nobody.refused("mount", "-f", "cam", for_nobody.path,
                       says=["/dev/fuse", "permission"],
                       before=hide + for_nobody.nobody)


def test_allow_other_not_permitted(for_nobody):
    conf = pathlib.Path("/etc/fuse.conf")
    if conf.exists() and "\nuser_allow_other" in conf.read_text():
        pytest.skip("/etc/fuse.conf permits it")
    for option in ("--allow-other", "-oallow_root"):
        for_nobody.refused("mount", option, "cam", for_nobody.path,
                           says="user_allow_other", before=for_nobody.before)


@pytest.mark.parametrize("cache,owner,mode", [
    ("mine", NOBODY, 0o000),         # not readable
    ("mine", NOBODY, 0o500),         # not writable
    ("theirs/cache", 0, 0o700),      # not to be entered
    ("theirs/cache", 0, 0o755),      # not to be made there
])
def test_cache_directory_not_permitted(for_nobody, cache, owner, mode):
    folder = for_nobody.home / pathlib.Path(cache).parts[0]
    folder.mkdir()
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    for action in (["mount", "cam", for_nobody.path], ["cache", "clear"]):
        if action[0] == "cache" and mode == 0o755:
            continue  # there is none: nothing to clear
        for_nobody.refused(
            action[0], f"--cache-dir={for_nobody.home}/{cache}", *action[1:],
            says=[f"{for_nobody.home}/{cache}", "Permission denied",
                  "choose another with --cache-dir", "700"],
            before=for_nobody.before)


def test_mountpoint_of_somebody_else(for_nobody):
    for_nobody.refused("mount", "cam", "/usr", says="/usr",
                       before=for_nobody.before)


def test_interrupted_while_it_waits(case):
    """Who gives up on `kvsfs mount` leaves nothing behind."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        case.env["AWS_ENDPOINT_URL"] = \
            f"http://127.0.0.1:{deaf.getsockname()[1]}"
        process = subprocess.Popen(
            [mounting.KVSFS, "mount", "cam", case.path], env=case.env,
            stderr=subprocess.PIPE, text=True)
        deaf.settimeout(30)
        connection, _ = deaf.accept()
        with connection:
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert stderr == "kvsfs: interrupted before the mount was ready\n"
    assert not mounting.is_mounted(case.path)
