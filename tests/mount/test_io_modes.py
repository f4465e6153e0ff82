# SPDX-License-Identifier: MIT
"""--io: whoever reads, the kernel or the program, the bytes are the same."""
import contextlib
import errno
import mmap
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading

import pytest

import ebml
import expected
import kvs_server
import mounting
import watching

NOBODY = 65534
MB = 1000000
SMALL = 100000
STREAMS = [
    {"name": name, "start": "2026-11-22T12:10:00Z", "end": 60,
     "spacing_ms": 2000, "retention_hours": 72,
     "media": {"kind": "synthetic", "payload_bytes": size}}
    for name, size in (("large", MB), ("small", SMALL))
] + [{"name": "misfit", "clip": "front-door.mkv", "end": 0,
      "start": "2026-11-22T13:00:00Z", "retention_hours": 72,
      "extra": [{"producer": "2026-11-22T13:00:00Z", "cluster": 0}]}]
FAST = ["--media-calls=0", "--media-fragments=0", "--cache-min-free=0%"]
# The file of a fragment that is cached, as root on a kernel that can.
KERNEL_READS = os.getuid() == 0 and tuple(
    map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 9)
MODES = ["passthrough", "no-open", "plain", "auto"]
MODE = re.compile(r"files are opened in (\S+) mode")


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=expected.NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture
def opened(mount, kvs):
    """opened(STREAM, io, ...) -> a mount whose files are opened that way."""
    def make(stream, io, *options, **more):
        m = mount(stream, f"--io={io}", *FAST, *options, server=kvs, **more)
        m.of = lambda f: m.path / "fragments" / expected.path(f)
        return m
    return make


@pytest.fixture(params=MODES)
def io(request):
    return request.param


@pytest.fixture
def passthrough(tmp_path):
    if not KERNEL_READS:
        pytest.skip("passthrough is for root on Linux 6.9 or later")
    return "passthrough"


def mode(m):
    """What it came to."""
    return MODE.findall(m.text())[-1]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def is_right(kvs, stream, fragment, content):
    sent = ebml.parse(kvs.media(stream, fragment["number"]))
    return ebml.parse(content).blocks == sent.blocks


def fetched(kvs):
    return kvs.count("GetMediaForFragmentList")


def is_cached(path):
    return os.getxattr(path, "user.kvs.cached") == b"1"


def chunk_of(cache, content):
    found = [p for p in (cache / "chunks").rglob("*") if p.is_file()
             and p.stat().st_size == len(content) and p.read_bytes() == content]
    assert len(found) == 1
    return found[0]


def reads_of_program(m):
    """Bytes that it has given to the kernel, or to the network."""
    with open(f"/proc/{m.process.pid}/io", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("wchar"))


def test_same_bytes(opened, kvs, io):
    """Cold, warm and after a remount; by read, mmap, pread and a copy."""
    m = opened("small", io)
    some = kvs.fragments("small")[:12]
    cold = {f["number"]: read(m.of(f)) for f in some}
    assert all(is_right(kvs, "small", f, cold[f["number"]]) for f in some)
    for _ in range(2):
        for f in some:
            content = cold[f["number"]]
            path = m.of(f)
            assert os.stat(path).st_size == len(content)
            assert read(path) == watching.read(path) == content
            with open(path, "rb") as file:
                with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
                    assert pages[:] == content
                assert os.pread(file.fileno(), 5000, 70000) == \
                    content[70000:75000]
                assert os.pread(file.fileno(), 9, len(content)) == b""
            copy = subprocess.run(["cat", path], capture_output=True,
                                  check=True).stdout
            assert copy == content
        m.restart()
    assert mode(m) in ("passthrough", "no-open", "plain")


def test_modes_are_what_they_say(opened, kvs, passthrough):
    """What is cached is read without the program in one mode only."""
    f, other = kvs.fragments("large")[:2]
    for io in MODES:
        m = opened("large", io, name=io, cache=None)
        content = read(m.of(f))
        m.restart()
        assert os.stat(m.of(f)).st_size == len(content)
        before = reads_of_program(m)
        assert read(m.of(f)) == content
        by_program = reads_of_program(m) - before > len(content) // 2
        assert mode(m) == ("passthrough" if io == "auto" else io)
        assert by_program == (mode(m) != "passthrough")
        m.stop()


class AsNobody(mounting.Mount):
    """The program as an ordinary user, from a copy that it may run."""

    def command(self):
        copy = self.path.parent / "kvsfs"
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                "--clear-groups", str(copy), *super().command()[1:]]


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
@pytest.mark.skipif(not os.stat("/dev/fuse").st_mode & 0o002,
                    reason="/dev/fuse is not for everybody, as udev makes it")
@pytest.mark.parametrize("io", ["auto", "passthrough"])
def test_an_ordinary_user_falls_back(kvsfs, kvs, io):
    """Without a word."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="kvsfs-nobody-", dir="/tmp"))
    os.chown(home, NOBODY, NOBODY)
    shutil.copy(kvsfs, home / "kvsfs")
    (home / "video").mkdir()
    os.chown(home / "video", NOBODY, NOBODY)
    m = AsNobody("small", home / "video", home / "cache", home / "log",
                 mounting.server_environ(kvs, home), [f"--io={io}", *FAST])
    f = kvs.fragments("small")[0]
    path = m.path / "fragments" / expected.path(f)
    m.start()
    for _ in range(2):
        content = subprocess.run(["cat", path], user=NOBODY, group=NOBODY,
                                 extra_groups=[], stdout=subprocess.PIPE,
                                 check=True).stdout
        assert is_right(kvs, "small", f, content)
    assert mode(m) == "no-open"
    assert watching.complaints(m) == []
    m.stop()
    shutil.rmtree(home)


# -- one file in two ways ------------------------------------------------------


def test_open_while_it_arrives(opened, kvs, io):
    """However often it is opened before, while and after it is there."""
    m = opened("large", io, "--slack=65536", name=io)
    f, other = kvs.fragments("large")[:2]
    size = os.stat(m.of(f)).st_size
    kvs.fault("stall", api="GetMediaForFragmentList", bytes=300000)
    with contextlib.ExitStack() as stack:
        early = stack.enter_context(open(m.of(f), "rb", buffering=0))
        head = os.pread(early.fileno(), 4096, 0)
        between = stack.enter_context(open(m.of(f), "rb", buffering=0))
        assert os.pread(between.fileno(), 4096, 0) == head
        assert not is_cached(m.of(f))
        kvs.release()
        content = early.read()
        assert len(content) == size and is_right(kvs, "large", f, content)
        watching.until(lambda: is_cached(m.of(f)))
        late = stack.enter_context(open(m.of(f), "rb", buffering=0))
        for file in (early, between, late):
            assert os.pread(file.fileno(), size + 1, 0) == content
        # As soon as one of those is left it must not be another's trouble.
        early.close()
        assert read(m.of(f)) == content
    kvs.reset()
    with open(m.of(f), "rb", buffering=0) as first:
        with open(m.of(f), "rb", buffering=0) as second:
            assert first.read() == second.read() == content
        assert os.pread(first.fileno(), size, 0) == content
    assert fetched(kvs) == 0
    assert read(m.of(other)) != content


def test_many_open_it_at_once(opened, kvs, io):
    """Threads that open and close while fragments arrive and are evicted."""
    m = opened("small", io, "--cache-size=3M")
    some = kvs.fragments("small")
    wanted = {f["number"]: ebml.parse(kvs.media("small", f["number"])).blocks
              for f in some}
    wrong = []

    def work(seed):
        rng = random.Random(seed)
        try:
            for _ in range(60):
                f = rng.choice(some[:6] if rng.random() < 0.7 else some)
                if ebml.parse(read(m.of(f))).blocks != wanted[f["number"]]:
                    wrong.append(f["number"])
        except OSError as e:
            wrong.append(str(e))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_file_that_grows_while_it_is_open(opened, kvs, io):
    m = opened("misfit", io, "--metadata-ttl=100ms", "--slack=4096", name=io)
    os.stat(m.of(kvs.fragments("misfit")[0]))
    n = len(kvs.fragments("misfit"))
    f, = kvs.add("misfit", {
        "producer": expected.epoch_ms("2026-11-22T13:10:00Z") + 1000 * n,
        "size_bytes": 50})
    path = m.of(f)
    watching.until(lambda: path.name in os.listdir(path.parent))
    assert os.stat(path).st_size == 50 + 4096
    with open(path, "rb", buffering=0) as before:
        assert len(before.read(1000)) == 1000
        content = read(path)
        assert is_right(kvs, "misfit", f, content)
        assert len(content) == os.stat(path).st_size > 50 + 4096
        assert os.fstat(before.fileno()).st_size == len(content)
        assert os.pread(before.fileno(), len(content) + 9, 0) == content
    assert read(path) == content
    # Who has not shown the new size yet.
    m.restart()
    assert os.stat(path).st_size == len(content)
    assert read(path) == read(path) == content


# -- the cache behind it -------------------------------------------------------


def taken(cache):
    return sum(p.stat().st_blocks * 512 for p in cache.rglob("*")
               if p.is_file())


def test_eviction_leaves_what_is_open(opened, kvs, passthrough):
    budget = 20 * MB
    m = opened("large", passthrough, f"--cache-size={budget}")
    fragments = kvs.fragments("large")
    content = {f["number"]: read(m.of(f)) for f in fragments[:3]}
    held = [open(m.of(f), "rb", buffering=0) for f in fragments[:3]]
    pages = mmap.mmap(held[0].fileno(), 0, prot=mmap.PROT_READ)
    other = opened("large", passthrough, f"--cache-size={budget}",
                   name="other", cache=m.cache)
    for by in (m, other):
        for f in fragments[3:]:
            assert is_right(kvs, "large", f, read(by.of(f)))
            assert taken(m.cache) <= budget
    assert all(is_cached(m.of(f)) for f in fragments[:3])
    for f, file in zip(fragments, held):
        chunk_of(m.cache, content[f["number"]])
        assert file.read() == content[f["number"]]
    assert pages[:] == content[fragments[0]["number"]]
    pages.close()
    for file in held:
        file.close()
    for f in fragments[3:]:
        read(m.of(f))
    # A close is told later; then they go like all others.
    watching.until(lambda: [read(m.of(f)) for f in fragments[3:40]]
                   and not any(is_cached(m.of(f)) for f in fragments[:3]))


def test_more_is_open_than_the_cache_holds(opened, kvs, passthrough):
    """What has no room then is read all the same."""
    budget = 8 * MB
    m = opened("large", passthrough, f"--cache-size={budget}")
    with contextlib.ExitStack() as stack:
        held = []
        for f in kvs.fragments("large")[:20]:
            content = read(m.of(f))
            held.append((content, stack.enter_context(
                open(m.of(f), "rb", buffering=0))))
            assert is_right(kvs, "large", f, content)
            assert taken(m.cache) <= budget
        for content, file in held:
            assert file.read() == content
    watching.until(lambda: read(m.of(f)) == content and is_cached(m.of(f)))


def test_killed_while_files_are_open(opened, kvs, passthrough):
    m = opened("large", passthrough)
    f = kvs.fragments("large")[0]
    content = read(m.of(f))
    with open(m.of(f), "rb", buffering=0) as file:
        chunk = chunk_of(m.cache, content)
        m.kill()
        # The kernel has it: the bytes, or an error, but nothing else.
        assert watching.error_of(file.read) in (0, errno.ENOTCONN)
        m.start()
        kvs.reset()
        assert read(m.of(f)) == content
    assert read(m.of(f)) == content
    assert fetched(kvs) == 0 and chunk.exists()


def test_a_bad_chunk_is_not_given_away(opened, kvs, io):
    m = opened("large", io, name=io)
    f = kvs.fragments("large")[0]
    content = read(m.of(f))
    m.stop()
    chunk = chunk_of(m.cache, content)
    with open(chunk, "r+b") as file:
        file.seek(len(content) // 2)
        byte = file.read(1)[0]
        file.seek(len(content) // 2)
        file.write(bytes([byte ^ 1]))
    m.start()
    assert read(m.of(f)) == content
    assert read(m.of(f)) == content


def test_what_is_opened_often_stays(opened, kvs, io):
    """Though most of its reads never come to the program."""
    m = opened("large", io, f"--cache-size={20 * MB}", "--metadata-ttl=5ms",
               name=io)
    # Backwards: nothing is fetched ahead, which would push it out between two
    # opens.
    hot, _, *others = kvs.fragments("large")
    others.reverse()
    content = read(m.of(hot))
    for f in others:
        read(m.of(f))
        assert read(m.of(hot)) == content
    assert is_cached(m.of(hot))
    assert not is_cached(m.of(others[0]))
    kvs.reset()
    assert watching.read(m.of(hot)) == content
    assert fetched(kvs) == 0


# Past the page cache it can be mapped since Linux 6.6.
MAPS = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 6)


def test_movies(opened, io):
    """The same bytes in every mode, read or mapped."""
    m = opened("misfit", io)
    path = m.path / "movies" / "2026-11-22.mkv"
    with open(path, "rb") as f:
        data = f.read()
        assert len(data) == os.fstat(f.fileno()).st_size
        assert data[:4].hex() == "1a45dfa3"
        assert os.pread(f.fileno(), 9, len(data)) == b""
        if MAPS or mode(m) == "no-open":
            with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                assert mapped[:] == data
    assert path.read_bytes() == data
