# SPDX-License-Identifier: MIT
"""Profile files as people have them, and as nobody would write them: what
botocore makes of a file is what kvsfs makes of it."""
import os
import random
import subprocess

import botocore.configloader
import botocore.exceptions
import pytest

from test_aws_settings import UNIT

ROUNDS = int(os.environ.get("KVSFS_FUZZ") or 1500)


class Parser:
    """The program's, asked about one file after the other."""

    def __init__(self):
        self.process = subprocess.Popen(
            [UNIT / "aws" / "test_config", "--ask"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *words):
        hexed = ("-" if w is None else w.encode().hex() or "=" for w in words)
        self.process.stdin.write(" ".join(hexed) + "\n")
        line = self.process.stdout.readline()
        assert line, f"it ended: {words} {self.process.wait()}"
        line = line.rstrip("\n")
        if line.startswith("!"):
            raise ValueError(line[1:])
        return None if line == "-" else bytes.fromhex(line).decode()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0


@pytest.fixture(scope="module")
def parser():
    if not (UNIT / "aws" / "test_config").exists():
        pytest.skip("run make unit-aws first")
    p = Parser()
    yield p
    p.close()


def theirs(path, kind):
    """{(type, name): {key: value}}, or None where botocore refuses it."""
    try:
        if kind == "credentials":
            found = botocore.configloader.raw_config_parse(path)
            return {("profile", n): v for n, v in found.items()}
        found = botocore.configloader.load_config(path)
    except botocore.exceptions.ConfigParseError:
        return None
    return {**{("profile", n): v for n, v in found["profiles"].items()},
            **{("sso-session", n): v for n, v in found["sso_sessions"].items()}}


def flat(values):
    for key, value in values.items():
        if not isinstance(value, dict):
            yield key, None, value
            continue
        yield key, None, ""
        for nested, inner in value.items():
            yield key, nested, inner


def same(parser, folder, number, content, kind):
    """True: both read it.  Where only one does, it is a difference that is
    known: config.h names them."""
    path = folder / str(number)
    path.write_bytes(content)
    reference = theirs(str(path), kind)
    names = ["region", "aws_access_key_id", "aws_secret_access_key", "s3", "x"]
    try:
        parser.ask(kind, str(path), "profile", "default", "region", None)
    except ValueError as refusal:
        assert str(refusal).startswith(f"{path}:"), refusal
        assert reference is None or b"\0" in content, (content, refusal)
        return False
    if reference is None:
        known = (content.startswith(b"\xef\xbb\xbf") or twice(content))
        assert known, content
        return False
    sections = set(reference) | {("profile", n) for n in
                                 ("default", "a", "DEFAULT", "none")}
    for type_, name in sections:
        values = reference.get((type_, name), {})
        found = dict.fromkeys(((n, None) for n in names), "")
        found.update({(k, n): v for k, n, v in flat(values)})
        for (key, nested), value in found.items():
            if "\0" in name + key + (nested or ""):
                continue
            mine = parser.ask(kind, str(path), type_, name, key, nested)
            assert (mine or "") == value, (content, type_, name, key, nested)
    path.unlink()
    return True


def twice(content):
    """Does a section or a key come twice?  As configparser sees it, which
    stops there: without strictness it would go on."""
    text = content.decode("utf-8", "replace")
    strict = botocore.configloader.configparser.RawConfigParser
    lenient = strict(strict=False)
    try:
        lenient.read_string(text.replace("\r\n", "\n").replace("\r", "\n"))
    except botocore.configloader.configparser.Error:
        return False
    return True


LINES = [
    "[default]", "[profile a]", "[a]", '[profile "b c"]', "[profile b c]",
    "[ default ]", "[profile a ]", "[DEFAULT]", "[sso-session s]",
    "[services v]", "[plugins]", "[preview]", "[a] # why", "[a]]", "[]", "[ ]",
    "[a", "[profile 'q]", "[profile]", "[profiles a]", "[profile\ta]",
    "region = us-west-2", "region=", "region", "Region : x", "REGION=y=z:w",
    " region = indented", "\tregion = tab", "  deeper = 1", "    = 2", "= 3",
    "aws_access_key_id = AKID", "aws_secret_access_key = a/b+c==#;",
    "aws_secret_access_key =\ta  b\t", "s3 =", "  max = 1", "  a: b", "\tmin=2",
    "", " ", "\t", "# comment", "; comment", "  # deep", "x = '\"'", "x: \\",
    "\u00a0x = nbsp", "x\u3000=\u2003y\u2028", "\x0bx = vt", "x = a\x0cb",
    "é = ü", "x = %(region)s", "x = ${HOME}", "k" * 3000 + " = " + "v" * 9000,
]
SPECIALS = ["\r", "\r\n", "\n", "\x1c", "\x85", "\u2029", "\ufeff", "=", ":",
            "[", "]", "#", ";", " ", "\t", '"', "'", "\\", "%", "\0"]


def some_file(rng):
    lines = rng.choices(LINES, k=rng.randrange(1, 14))
    if rng.random() < 0.8:
        lines.insert(0, rng.choice(["[default]", "[profile a]", "[a]"]))
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(lines)
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(SPECIALS) + text[at:]
    content = (rng.choice(["", "", "", "\ufeff"]) + text +
               rng.choice(["", "\n"])).encode()
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        at = rng.randrange(len(content) + 1)
        content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1:]
    return content


@pytest.mark.parametrize("kind", ["config", "credentials"])
def test_mutations(kind, parser, tmp_path):
    rng = random.Random(f"{kind} 1")
    both = sum(same(parser, tmp_path, n, some_file(rng), kind)
               for n in range(ROUNDS))
    # Most are refused by both; enough are not.
    assert both > ROUNDS / 8


@pytest.mark.parametrize("kind", ["config", "credentials"])
@pytest.mark.parametrize("line", LINES)
def test_each_line_between_others(line, kind, parser, tmp_path):
    for number, (before, after) in enumerate([
            ("[default]\na = 1\n", "\nregion = r\n"),
            ("[default]\ns3 =\n", "\n  max = 1\n[a]\nregion = r"),
            ("[a]\n  region = r\n", "\n  x = 1"), ("", "\n[default]\nx=1")]):
        same(parser, tmp_path, number, (before + line + after).encode(), kind)


def test_ten_megabytes(parser, tmp_path):
    filler = "".join(f"[profile p{n}]\nregion = r{n}\n# {'c' * 60}\n"
                     for n in range(100000))
    content = (filler + "[default]\nregion = last\nlong = " +
               "\n ".join(["v" * 1000] * 1000)).encode()
    assert len(content) > 10e6
    path = tmp_path / "large"
    path.write_bytes(content)
    asked = [("default", "region"), ("p0", "region"), ("p99999", "region"),
             ("default", "long")]
    reference = theirs(str(path), "config")
    for name, key in asked:
        assert parser.ask("config", str(path), "profile", name, key, None) == \
            reference[("profile", name)][key]
