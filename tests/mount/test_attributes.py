# SPDX-License-Identifier: MIT
"""What stat, getfattr, df, du and find say; that nothing can be changed."""
import errno
import os
import stat
import subprocess
import tempfile

import pytest

import ebml
import expected
import kvs_server

NOW = expected.NOW
CLIP = {"clip": "front-door.mkv", "retention_hours": 72}
FEW = [{"producer": f"2026-11-22T13:{m:02}:{m:02}.{ms:03}Z",
        "server": f"2026-11-22T13:{m:02}:{m + 1:02}.{ms:03}Z"}
       for m, ms in ((0, 0), (5, 513), (5, 514), (10, 999), (58, 1))]
STREAMS = [
    {**CLIP, "name": "few", "start": "2026-11-20T00:00:00Z", "end": 0,
     "extra": FEW + [{"producer": "2026-11-21T03:00:00.250Z",
                      "server": "2026-11-21T03:00:01Z"}]},
    {**CLIP, "name": "hour", "start": "2026-11-22T13:00:00Z", "end": 1800},
    {**CLIP, "name": "growing", "start": "-90m"},
    {**CLIP, "name": "expiring", "start": "-3h", "end": 0,
     "retention_hours": 1},
]
SLACKS = (4 << 10, 64 << 10, 2 << 20)


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def few(mount, kvs):
    """A mount of "few": its hour of five, and its fragments by path."""
    def make(*options, **more):
        m = mount("few", "--metadata-ttl=1h", *options, server=kvs, **more)
        m.hour = m.path / "fragments" / "2026-11-22" / "13"
        return m
    return make


@pytest.fixture(scope="module")
def wanted(kvs):
    """{name: fragment} of the hour of five."""
    return {expected.file_name(f): f for f in kvs.fragments(
        "few", "2026-11-22T13:00:00Z", "2026-11-22T13:59:59Z")}


def run(*command, **how):
    return subprocess.run(list(map(str, command)), check=True, text=True,
                          capture_output=True,
                          env={**os.environ, "TZ": "UTC"}, **how).stdout


def asked(kvs):
    return sum(api["requests"] for api in kvs.stats().values())


# -- stat -------------------------------------------------------------


def test_stat_of_files(few, wanted):
    m = few()
    assert sorted(os.listdir(m.hour)) == sorted(wanted)
    for name, f in wanted.items():
        size, blocks, unit, mode, links, when, kind = run(
            "stat", "-c", "%s %b %B %a %h %.3Y %F", m.hour / name).split(
                maxsplit=6)
        assert int(size) - f["size_bytes"] in SLACKS
        assert int(blocks) * int(unit) // 512 == -(-int(size) // 512)
        assert (mode, links) == ("444", "1")
        assert when == f"{f['producer_ms'] / 1000:.3f}"
        assert kind.strip() == "regular file"
        st = os.stat(m.hour / name)
        assert st.st_mtime_ns == f["producer_ms"] * 1000000
        assert (st.st_uid, st.st_gid) == (os.getuid(), os.getgid())


def test_reading_changes_nothing_that_stat_says(few, wanted):
    m = few()

    def said():
        return {path: [getattr(st, field) for field in (
            "st_size", "st_blocks", "st_mtime_ns", "st_ino", "st_ctime_ns",
            "st_mode", "st_nlink")]
            for path, st in expected.walk(m.path).items()
            # These know their newest fragment once they have been read.
            if len(path) > len("fragments/2026-11-22")}

    before = said()
    assert len([path for path in before if path.startswith("frag")]) == 2 + 6
    for name in wanted:
        (m.hour / name).read_bytes()
    assert said() == before
    m.restart()
    assert said() == before


def test_stat_of_folders(few):
    m = few()
    expected.walk(m.path)
    for folder in (m.path, m.path / "fragments", m.hour.parent, m.hour):
        st = os.stat(folder)
        assert stat.S_IMODE(st.st_mode) == 0o755 and stat.S_ISDIR(st.st_mode)
        inside = sum(e.is_dir() for e in os.scandir(folder))
        assert st.st_nlink in (1, 2 + inside)
    assert run("find", m.path / "fragments", "-type", "f").count(".mkv\n") == 6


def test_owner_and_umask(few):
    m = few("--uid=1234", "--gid=2345", "--umask=0077")
    for path in [m.path, m.hour, *(e.path for e in os.scandir(m.hour))]:
        st = os.stat(path)
        assert (st.st_uid, st.st_gid) == (1234, 2345)
        assert stat.S_IMODE(st.st_mode) == (
            0o700 if stat.S_ISDIR(st.st_mode) else 0o400)
    m.restart("--umask=0")
    assert stat.S_IMODE(os.stat(m.hour).st_mode) == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_allow_other(few):
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        m = few(name=f"{base}/video", cache=f"{base}/cache")
        try:
            assert subprocess.run(["ls", m.hour], user="nobody",
                                  capture_output=True).returncode != 0
            m.restart("--allow-other")
            out = run("cat", m.hour / os.listdir(m.hour)[0], user="nobody",
                      errors="replace")
            assert len(out) > 1000
        finally:
            m.stop()


def test_mtime_of_folders(mount, few, kvs):
    m = few()
    expected.walk(m.path)

    def when(path):
        return os.stat(path).st_mtime_ns // 1000000

    assert when(m.hour) == expected.epoch_ms("2026-11-22T14:00:00Z")
    past = m.path / "fragments" / "2026-11-21"
    assert when(past / "03") == expected.epoch_ms("2026-11-21T04:00:00Z")
    assert when(past) == expected.epoch_ms("2026-11-22T00:00:00Z")
    newest = max(f["producer_ms"] for f in kvs.fragments("few"))
    # The day goes on.
    assert expected.until(lambda: when(m.hour.parent) == newest)

    m = mount("growing", "--metadata-ttl=200ms", server=kvs, name="growing")
    expected.names(m.path)
    newest = max(f["producer_ms"] for f in kvs.fragments("growing"))
    top = m.path / "fragments"
    for folder in ("2026-11-22/15", "2026-11-22", "."):
        assert expected.until(lambda: when(top / folder) == newest), folder
    assert when(top / "2026-11-22/14") == expected.epoch_ms(
        "2026-11-22T15:00:00Z")


# -- extended attributes ----------------------------------------------


def attributes(path, *options):
    out = run("getfattr", "--absolute-names", "-d", *options, path)
    return dict(line.replace('"', "").split("=", 1)
                for line in out.splitlines() if "=" in line)


def test_listed_attributes(few, wanted):
    m = few()
    for name, f in wanted.items():
        for options in ([], ["-m", "-"]):
            assert attributes(m.hour / name, *options) == {
                "user.kvs.fragment_number": f["number"],
                "user.kvs.producer_timestamp": f["producer"],
                "user.kvs.server_timestamp": f["server"],
                "user.kvs.length_ms": str(f["length_ms"]),
                "user.kvs.size_bytes": str(f["size_bytes"]),
            }


def test_attributes_by_name(few, wanted):
    m = few()
    # The first whose size is wanted calibrates; so another one.
    os.stat(m.hour / min(wanted))
    path = m.hour / max(wanted)

    def named(name):
        return run("getfattr", "--absolute-names", "--only-values", "-n",
                   f"user.kvs.{name}", path)

    assert named("cached") == "0"
    content = path.read_bytes()
    assert named("cached") == "1"
    assert int(named("payload_bytes")) == len(content) - ebml.parse(
        content).padding
    assert named("fragment_number") == wanted[path.name]["number"]
    assert set(os.listxattr(path)).isdisjoint(
        {"user.kvs.cached", "user.kvs.payload_bytes"})
    m.restart()
    assert named("cached") == "1"


def test_attributes_of_folders(few, kvs, mount):
    arn = kvs.video().describe_stream(
        StreamName="few")["StreamInfo"]["StreamARN"]
    m = few()
    for folder in (m.path / "fragments", m.hour.parent, m.hour):
        assert attributes(folder) == {"user.kvs.stream_arn": arn}
    m.stop()
    m = mount("f*", server=kvs, name="pattern")
    assert attributes(m.path / "few") == {"user.kvs.stream_arn": arn}
    assert attributes(m.path) == {}


def test_other_attributes(few, wanted):
    m = few()
    for path in (m.path, m.hour, m.hour / min(wanted)):
        for name in ("security.capability", "system.posix_acl_access",
                     "trusted.x", "user.other", "user.kvsx", "user.kv"):
            with pytest.raises(OSError) as e:
                os.getxattr(path, name)
            assert e.value.errno == errno.EOPNOTSUPP, (path, name)
        with pytest.raises(OSError) as e:
            os.getxattr(path, "user.kvs.nonsense")
        assert e.value.errno == errno.ENODATA
    out = subprocess.run(["ls", "-laZ", m.hour], capture_output=True,
                         text=True)
    assert (out.returncode, out.stderr) == (0, "")


# -- read-only --------------------------------------------------------


CHANGES = {
    "write": lambda d, f: os.open(f, os.O_WRONLY),
    "read and write": lambda d, f: os.open(f, os.O_RDWR),
    "append": lambda d, f: os.open(f, os.O_WRONLY | os.O_APPEND),
    "truncate": lambda d, f: os.truncate(f, 0),
    "create": lambda d, f: os.open(d / "new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda d, f: os.mkdir(d / "new"),
    "mkfifo": lambda d, f: os.mkfifo(d / "new"),
    "symlink": lambda d, f: os.symlink("x", d / "new"),
    "link": lambda d, f: os.link(f, d / "new"),
    "unlink": lambda d, f: os.unlink(f),
    "rmdir": lambda d, f: os.rmdir(d),
    "rename": lambda d, f: os.rename(f, d / "new"),
    "chmod": lambda d, f: os.chmod(f, 0o600),
    "chown": lambda d, f: os.chown(f, 1, 1),
    "utime": lambda d, f: os.utime(f, (0, 0)),
    "utime of a folder": lambda d, f: os.utime(d, (0, 0)),
    "setxattr": lambda d, f: os.setxattr(f, "user.kvs.cached", b"0"),
    "removexattr": lambda d, f: os.removexattr(f, "user.kvs.length_ms"),
}


def test_nothing_can_be_changed(few, wanted):
    m = few()
    file = m.hour / min(wanted)
    for what, change in CHANGES.items():
        with pytest.raises(OSError) as e:
            change(m.hour, file)
        assert e.value.errno == errno.EROFS, what
    for command in (["touch", file], ["touch", m.hour / "new"],
                    ["rm", "-f", file], ["chmod", "600", file],
                    ["mkdir", m.path / "new"],
                    ["setfattr", "-n", "user.x", "-v", "1", file]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode != 0
        assert "Read-only file system" in done.stderr, command


# -- df, du, find -----------------------------------------------------


def test_df(few, kvs):
    m = few()
    expected.names(m.path)
    total = sum(f["size_bytes"] for f in kvs.fragments("few"))
    kvs.reset()
    st = os.statvfs(m.path)
    assert total <= st.f_blocks * st.f_frsize < total + st.f_frsize
    assert (st.f_bfree, st.f_bavail) == (0, 0)
    assert st.f_namemax == 255
    assert st.f_flag & os.ST_RDONLY
    for path in (m.path, m.hour):
        size, used, free = map(int, run(
            "df", "-B1", "--output=size,used,avail",
            path).splitlines()[1].split())
        assert size == used == st.f_blocks * st.f_frsize and free == 0
    assert asked(kvs) == 0


def test_du(few, wanted):
    m = few()
    sizes = [os.stat(m.hour / name) for name in wanted]
    folder = os.stat(m.hour)
    assert int(run("du", "-s", "-B512", m.hour).split()[0]) == sum(
        st.st_blocks for st in sizes) + folder.st_blocks
    assert int(run("du", "-s", "-b", m.hour).split()[0]) >= sum(
        st.st_size for st in sizes)


def test_find_by_time(mount, kvs):
    m = mount("hour", "--metadata-ttl=1h", server=kvs)
    out = run("find", m.path / "fragments", "-type", "f",
              "-newermt", "2026-11-22 13:05:00",
              "!", "-newermt", "2026-11-22 13:10:00").split()
    found = {os.path.basename(p) for p in out}
    lower, upper = (expected.epoch_ms(f"2026-11-22T13:{t}:00Z")
                    for t in ("05", "10"))
    assert found == {expected.file_name(f) for f in kvs.fragments("hour")
                     if lower < f["producer_ms"] <= upper}
    assert len(found) == 150


# -- cost, expiry -----------------------------------------------------


def test_names_fetch_nothing_and_sizes_one(mount, kvs):
    m = mount("hour", "--metadata-ttl=1h", server=kvs)
    hour = m.path / "fragments" / "2026-11-22" / "13"
    kvs.reset()
    assert run("ls", "-U", hour).count(".mkv\n") == 1800
    assert kvs.count("GetMediaForFragmentList") == 0
    assert run("ls", "-l", hour).count(".mkv\n") == 1800
    media = kvs.stats()["GetMediaForFragmentList"]
    assert (media["requests"], media["fragments"]) == (1, 1)
    m.restart()
    assert run("ls", "-l", hour).count(".mkv\n") == 1800
    assert kvs.count("GetMediaForFragmentList") == 1


def test_expiry(mount, kvs):
    """What is past its retention leaves; who has it open is told."""
    m = mount("expiring", server=kvs)
    second = 1000
    # As this clock goes on while the server's stands still.
    at = kvs.clock() - 3600 * second + 4 * second
    cached, still_open, later = kvs.add(
        "expiring",
        {"producer": "2026-11-22T15:00:00Z", "server": at},
        {"producer": "2026-11-22T15:00:02Z", "server": at},
        {"producer": "2026-11-22T15:00:04Z", "server": at + 1800 * second})
    hour = m.path / "fragments" / "2026-11-22" / "15"
    names = [expected.file_name(f) for f in (cached, still_open, later)]
    assert sorted(os.listdir(hour)) == names
    (hour / names[0]).read_bytes()
    with open(hour / names[1], "rb", buffering=0) as file:
        os.fstat(file.fileno())
        for name in names[:2]:
            assert expected.until(lambda: not (hour / name).exists())
        with pytest.raises(OSError) as e:
            file.read(4096)
        assert e.value.errno == errno.ESTALE
    assert os.listdir(hour) == names[2:]
    assert ebml.parse((hour / names[2]).read_bytes()).number == later["number"]
    for name in names[:2]:
        with pytest.raises(FileNotFoundError):
            os.open(hour / name, os.O_RDONLY)
