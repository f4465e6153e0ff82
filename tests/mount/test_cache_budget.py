# SPDX-License-Identifier: MIT
"""The cache on disk: never above its budget, never wrong, whatever happens to
it, to the disk and to the program."""
import hashlib
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import threading

import pytest

import ebml
import expected
import kvs_server
import mounting
import watching

MB = 1000000
BUDGET = 20 * MB
# 200 fragments of a megabyte, and 40 of 100 kB.
STREAMS = [
    {"name": "load", "start": "2026-11-22T12:10:00Z", "end": 200,
     "spacing_ms": 2000, "retention_hours": 72,
     "media": {"kind": "synthetic", "payload_bytes": MB,
               "payload_jitter_bytes": 50000}},
    {"name": "few", "start": "2026-11-22T12:10:00Z", "end": 40,
     "spacing_ms": 2000, "retention_hours": 72,
     "media": {"kind": "synthetic", "payload_bytes": 100000}},
]
FAST = ["--metadata-ttl=1h", "--media-calls=0", "--media-fragments=0",
        "--cache-min-free=0%"]
READERS = 8


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=expected.NOW, args=expected.FROZEN) as server:
        yield server


@pytest.fixture(scope="module")
def truth(kvs):
    """{stream: {path below fragments/: the document as sent}}"""
    return {name: {expected.path(f): kvs.media(name, f["number"])
                   for f in kvs.fragments(name, "2026-11-22", expected.NOW)}
            for name in ("load", "few")}


@pytest.fixture
def small_disk():
    """small_disk(folder, bytes): a file system of that size is there."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    made = []

    def make(folder, size):
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700",
                        "tmpfs", folder], check=True)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        subprocess.run(["umount", "-l", folder], check=True)


def digest(data):
    return hashlib.sha256(data).digest()


def is_right(content, sent):
    """By --raw: as sent, then a Void of zeros."""
    rest = content[len(sent):]
    return (content.startswith(sent) and rest[:1] == b"\xec"
            and not any(rest[9:]) and ebml.parse(content).raw == content)


def blocks(files):
    """{inode: bytes it takes} of what is below a folder."""
    found = {}
    for at, _, names in os.walk(files):
        for name in [".", *names]:
            try:
                st = os.lstat(os.path.join(at, name))
            except FileNotFoundError:
                continue
            found[st.st_ino] = st.st_blocks * 512
    return found


class Sampler(threading.Thread):
    """The most that a folder took at any time.

    What is seen both before and after was there in between: looking takes a
    while, and what has come meanwhile need not have been there with what went.
    """

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.most, self.samples = folder, 0, 0
        self.over = threading.Event()

    def run(self):
        before = blocks(self.folder)
        while not self.over.is_set():
            now = blocks(self.folder)
            self.most = max(self.most, sum(
                min(size, now[inode]) for inode, size in before.items()
                if inode in now))
            self.samples += 1
            before = now

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *ignored):
        self.over.set()
        self.join()


def read_all(paths, wanted, seed, wrong):
    """A process of its own: reads them in a random order."""
    paths = list(paths)
    random.Random(seed).shuffle(paths)
    for path in paths:
        try:
            if digest(watching.read(path)) != wanted[path]:
                wrong.put(f"{path} differs")
        except OSError as e:
            wrong.put(str(e))


class Readers:
    """Each reads a share of [(path, digest)], so that all is read `times`."""

    def __init__(self, wanted, n=READERS, share=1.0, seed=1):
        context = multiprocessing.get_context("fork")
        self.wrong = context.SimpleQueue()
        paths = sorted(wanted)
        rng = random.Random(seed)
        self.processes = [context.Process(target=read_all, args=(
            rng.sample(paths, int(len(paths) * share)), wanted, seed + i,
            self.wrong)) for i in range(n)]
        for process in self.processes:
            process.start()

    def join(self):
        found = []
        for process in self.processes:
            while process.is_alive():
                process.join(0.05)
                while not self.wrong.empty():
                    found.append(self.wrong.get())
        while not self.wrong.empty():
            found.append(self.wrong.get())
        return found


def wanted_of(mount, contents):
    """{full path: digest} of what a mount must show."""
    return {str(mount.path / "fragments" / path): digest(content)
            for path, content in contents.items()}


def contents(mount, sent):
    """{path: content} as read one after the other, checked against sent."""
    found = {}
    for path, document in sent.items():
        found[path] = watching.read(mount.path / "fragments" / path)
        if "--raw" in mount.options:
            assert is_right(found[path], document), path
        else:
            assert ebml.parse(found[path]).blocks == ebml.parse(
                document).blocks, path
    return found


def sizes_seen(mount):
    for at, _, names in os.walk(mount.path / "fragments"):
        for name in names:
            os.stat(os.path.join(at, name))


# -- the budget ----------------------------------------------------------------


@pytest.mark.parametrize("mounts", [1, 3])
@pytest.mark.parametrize("raw", [["--raw"], []])
def test_never_above_its_budget(mount, kvs, truth, tmp_path, raw, mounts):
    """Eight processes read 200 MB in random order."""
    reference = mount("load", *FAST, *raw, "--cache-size=1G", server=kvs,
                      name="reference", cache=tmp_path / "large")
    content = contents(reference, truth["load"])
    assert sum(map(len, content.values())) > 10 * BUDGET * 0.99
    reference.stop()
    made = [mount("load", *FAST, *raw, f"--cache-size={BUDGET}", server=kvs,
                  name=f"video{n}", cache=tmp_path / "small")
            for n in range(mounts)]
    with Sampler(tmp_path / "small") as sampler:
        readers = [Readers(wanted_of(m, content), READERS // mounts,
                           share=0.2, seed=n) for n, m in enumerate(made)]
        assert [r.join() for r in readers] == mounts * [[]]
    assert sampler.samples > 10
    # It was used, too.
    assert BUDGET / 2 < sampler.most <= BUDGET


def test_least_recently_used_goes_first(mount, kvs, truth):
    """What is looked at all the time stays."""
    m = mount("load", *FAST, f"--cache-size={BUDGET}", "--readahead=0",
              server=kvs)
    paths = [m.path / "fragments" / p for p in sorted(truth["load"])]
    watching.read(paths[0])
    for path in paths[1:60]:
        watching.read(path)
        watching.read(paths[0])
    kvs.reset()
    watching.read(paths[0])
    assert kvs.count("GetMediaForFragmentList") == 0
    watching.read(paths[1])
    assert kvs.count("GetMediaForFragmentList") == 1
    assert os.getxattr(paths[0], "user.kvs.cached") == b"1"
    assert os.getxattr(paths[5], "user.kvs.cached") == b"0"


# -- the program dies ----------------------------------------------------------


def test_killed_while_it_is_read(mount, kvs, truth, tmp_path):
    m = mount("load", *FAST, "--raw", f"--cache-size={BUDGET}", server=kvs)
    content = {p: (m.path / "fragments" / p).read_bytes()
               for p in sorted(truth["load"])[:30]}
    assert all(is_right(content[p], truth["load"][p]) for p in content)
    wanted = wanted_of(m, content)
    for seed in range(3):
        readers = Readers(wanted, 4, seed=seed)
        kvs.reset()
        watching.until(lambda: kvs.count("GetMediaForFragmentList") > 5)
        m.kill()
        wrong = readers.join()
        assert wrong and not any("differs" in w for w in wrong)
        m.start()
        readers = Readers(wanted, 4, seed=seed + 10)
        assert readers.join() == []
        assert sum(blocks(m.cache).values()) <= BUDGET
    # Nothing of the dead stays.
    watching.until(lambda: os.listdir(m.cache / "tmp") == [])
    m.restart()
    assert os.listdir(m.cache / "tmp") == []
    done = subprocess.run(
        [mounting.KVSFS, "cache", "verify", f"--cache-dir={m.cache}"],
        env=m.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_killed_beside_another(mount, kvs, truth, tmp_path):
    """What it held falls to the other mount of the same cache."""
    options = [*FAST, "--raw", f"--cache-size={BUDGET}"]
    a = mount("load", *options, server=kvs, name="a")
    b = mount("load", *options, server=kvs, name="b")
    content = {p: (b.path / "fragments" / p).read_bytes()
               for p in sorted(truth["load"])[:40]}
    with Sampler(a.cache) as sampler:
        dying = Readers(wanted_of(a, content), 3)
        living = Readers(wanted_of(b, content), 3, seed=7)
        kvs.reset()
        watching.until(lambda: kvs.count("GetMediaForFragmentList") > 5)
        a.kill()
        assert not any("differs" in w for w in dying.join())
        assert living.join() == []
        assert Readers(wanted_of(b, content), 3, seed=9).join() == []
    assert sampler.most <= BUDGET


# -- the disk ------------------------------------------------------------------


def test_a_disk_that_is_full(mount, kvs, truth, small_disk, tmp_path):
    cache = small_disk(tmp_path / "disk", 16 * MB)
    m = mount("few", "--raw", *FAST, "--cache-size=1G", server=kvs, cache=cache)
    sizes_seen(m)
    # Unbuffered: what close() still had to write would fail there.
    with open(cache / "something-else", "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(65536))
        except OSError:
            pass
    for _ in range(2):
        contents(m, truth["few"])
    assert len(watching.complaints(m)) == 1
    assert watching.complaints(m, "cache")
    os.unlink(cache / "something-else")
    contents(m, truth["few"])
    path = m.path / "fragments" / min(truth["few"])
    watching.until(lambda: watching.read(path)
                   and os.getxattr(path, "user.kvs.cached") == b"1")
    kvs.reset()
    m.restart()
    contents(m, dict([min(truth["few"].items())]))
    assert kvs.count("GetMediaForFragmentList") == 0


def test_a_disk_smaller_than_the_budget(mount, kvs, truth, small_disk,
                                        tmp_path):
    """The floor of free space is kept, and what is old makes room."""
    cache = small_disk(tmp_path / "disk", 16 * MB)
    m = mount("load", "--raw", "--metadata-ttl=1h", "--media-calls=0",
              "--readahead=0",
              "--cache-size=1G", "--cache-min-free=25%", server=kvs,
              cache=cache)
    few = dict(sorted(truth["load"].items())[:30])
    least = 100

    for path in few:
        contents(m, {path: few[path]})
        st = os.statvfs(cache)
        least = min(least, 100 * st.f_bavail / st.f_blocks)
    # The index grows by some pages meanwhile.
    assert least >= 24
    kvs.reset()
    contents(m, dict(list(few.items())[-3:]))
    assert kvs.count("GetMediaForFragmentList") == 0


def test_a_disk_that_turns_read_only(mount, kvs, truth, tmp_path):
    """As far as a test can make one: folders that cannot be written."""
    m = mount("few", "--raw", *FAST, server=kvs)
    sizes_seen(m)
    for name in ("tmp", "chunks"):
        shutil.rmtree(m.cache / name)
        (m.cache / name).write_text("not a folder")
    contents(m, truth["few"])
    assert 1 <= len(watching.complaints(m, "cache")) <= 2


def chunks(cache):
    return [p for p in pathlib.Path(cache / "chunks").rglob("*")
            if p.is_file()]


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "zero", "remove"])
def test_a_damaged_chunk_is_fetched_again(mount, kvs, truth, damage):
    m = mount("few", *FAST, server=kvs)
    path = min(truth["few"])
    content = contents(m, {path: truth["few"][path]})[path]
    m.stop()
    damaged = [p for p in chunks(m.cache) if p.stat().st_size == len(content)]
    assert damaged
    for chunk in damaged:
        if damage == "remove":
            chunk.unlink()
            continue
        with open(chunk, "r+b") as f:
            if damage == "flip":
                f.seek(len(content) // 2)
                byte = f.read(1)[0]
                f.seek(len(content) // 2)
                f.write(bytes([byte ^ 1]))
            elif damage == "cut":
                f.truncate(5000)
            elif damage == "grow":
                f.truncate(len(content) + 4096)
            else:
                f.write(bytes(len(content)))
    m.start()
    kvs.reset()
    assert (m.path / "fragments" / path).read_bytes() == content
    assert kvs.count("GetMediaForFragmentList") == 1
    assert os.stat(m.path / "fragments" / path).st_size == len(content)
    m.restart()
    kvs.reset()
    assert (m.path / "fragments" / path).read_bytes() == content
    assert kvs.count("GetMediaForFragmentList") == 0


@pytest.mark.parametrize("what", ["all", "chunks", "index.db"])
def test_a_cache_that_is_deleted(mount, kvs, truth, what):
    """By a user who did not know that it was in use."""
    m = mount("few", "--raw", *FAST, "--readahead=0", server=kvs)
    paths = sorted(truth["few"])
    contents(m, {p: truth["few"][p] for p in paths[:20]})
    if what == "all":
        shutil.rmtree(m.cache)
    elif what == "chunks":
        shutil.rmtree(m.cache / what)
    else:
        for file in m.cache.glob("index.db*"):
            file.unlink()
    contents(m, truth["few"])
    for path in paths[:3]:
        content = watching.read(m.path / "fragments" / path)
        assert is_right(content, truth["few"][path])
    assert len(os.listdir(m.path / "fragments" / paths[0][:13])) == 40
    m.restart()
    contents(m, truth["few"])


def test_an_index_that_is_damaged(mount, kvs, truth):
    m = mount("few", "--raw", *FAST, server=kvs)
    contents(m, truth["few"])
    m.stop()
    for file in m.cache.glob("index.db*"):
        file.write_bytes(random.Random(1).randbytes(20000))
    m.start()
    contents(m, truth["few"])
    m.restart()
    kvs.reset()
    contents(m, truth["few"])
    assert kvs.count("GetMediaForFragmentList") == 0
