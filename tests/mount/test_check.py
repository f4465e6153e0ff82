# SPDX-License-Identifier: MIT
"""kvsfs check: would a mount work, and why not."""
import json
import subprocess

import pytest

import aws_fakes
import kvs_server
import mounting
import tls_front

ORDER = ["config", "credentials", "region", "DNS", "TLS", "clock",
         "ListStreams", "DescribeStream", "retention", "KMS key",
         "GetDataEndpoint", "GetDataEndpoint", "ListFragments",
         "GetMediaForFragmentList", "FUSE", "cache"]


class Check:
    """env may be changed; run() and steps() run the program."""

    def __init__(self, server, folder):
        self.server = server
        self.cache = folder / "cache"
        self.env = mounting.server_environ(server, folder)

    def run(self, *args):
        return subprocess.run(
            [mounting.KVSFS, "check", f"--cache-dir={self.cache}", *args],
            env=self.env, text=True, capture_output=True, check=False)

    def steps(self, *args):
        """{step: (status, text and cure)}, and whether a mount would work."""
        done = self.run("--json", *args)
        for report in mounting.REPORTS:
            assert report not in done.stderr, done.stderr
        found = json.loads(done.stdout)
        assert found["usable"] == (done.returncode == 0)
        assert found["usable"] == all(s["status"] != "failed"
                                      for s in found["steps"])
        self.found = found
        return {s["step"]: (s["status"], s["text"] + " | " + s.get("cure", ""))
                for s in found["steps"]}


@pytest.fixture
def check(server, tmp_path):
    return Check(server, tmp_path)


def failed(steps, step, *pieces):
    status, text = steps[step]
    assert status == "failed", steps
    for piece in pieces:
        assert piece in text, text


@pytest.mark.parametrize("stream", [[], ["front-door"], ["front*"], ["*"]])
def test_all_is_well(stream, check):
    steps = check.steps(*stream)
    assert [s["step"] for s in check.found["steps"]] == ORDER
    assert {status for status, _ in steps.values()} == {"ok"}
    assert "...MPLE" in steps["credentials"][1]
    assert check.server.secret_key not in json.dumps(check.found)
    for step in ORDER[6:8] + ORDER[10:14]:
        took = [s["took_ms"] for s in check.found["steps"] if s["step"] == step]
        assert all(0 <= ms < 20000 for ms in took) and took
    # Looking makes nothing.
    assert not check.cache.exists()


def test_for_people(check):
    done = check.run("front-door")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert [line[6:31].strip() for line in lines[:16]] == ORDER
    assert lines[-1] == "A mount would work."


def test_edges_are_the_streams(check):
    """The oldest and the newest of all there are."""
    with kvs_server.Server(streams=[
            {"name": "long", "clip": "front-door.mkv", "start": "-3000d",
             "end": "-1h", "spacing_ms": 60000, "retention_hours": 87600,
             "active": {"every_ms": 86400000, "on_ms": 600000}},
            {"name": "one", "clip": "front-door.mkv", "start": "-2h", "end": 1,
             "empty_pages": 3},
            {"name": "none", "clip": "front-door.mkv", "end": 0}]) as kvs:
        check.env = mounting.server_environ(kvs, check.cache.parent)
        for name in "long", "one":
            text = check.steps(name)["ListFragments"][1]
            first = kvs.ask("fragments", stream=name, limit=1)
            last = kvs.ask("fragments", stream=name, limit=first["total"])
            assert f"oldest {first['fragments'][0]['producer'][:19]}Z" in text
            assert f"newest {last['fragments'][-1]['producer'][:19]}Z" in text
        steps = check.steps("none")
        assert steps["ListFragments"][0] == "warning"
        assert steps["GetMediaForFragmentList"][0] == "skipped"
        assert check.found["usable"]


def test_a_name_that_is_not_there(check):
    failed(check.steps("front-dor"), "DescribeStream", "no stream front-dor",
           "did you mean 'front-door'?", "request id")


APIS = ["DescribeStream", "GetDataEndpoint", "ListFragments",
        "GetMediaForFragmentList"]


@pytest.mark.parametrize("api", APIS)
def test_an_action_that_is_not_allowed(api, check):
    check.server.fault("error", api=api, status=403, count=-1,
                       name="AccessDeniedException", message="not you")
    steps = check.steps("front-door")
    failed(steps, api, "not you", "AccessDeniedException", "request id",
           f"allow the action kinesisvideo:{api}")
    assert check.found["missing_actions"] == [f"kinesisvideo:{api}"]
    statement, = check.found["policy"]["Statement"]
    assert statement["Action"] == [f"kinesisvideo:{a}" for a in APIS]
    assert ":stream/front-door/" in statement["Resource"]
    # As JSON to paste, for people, too.
    text = check.run("front-door").stdout
    policy = text[text.index("{"):text.rindex("}") + 1]
    assert json.loads(policy) == check.found["policy"]


def test_what_only_patterns_need(check):
    check.server.fault("error", api="ListStreams", status=403, count=-1,
                       name="AccessDeniedException")
    steps = check.steps("front-door")
    assert steps["ListStreams"][0] == "warning" and check.found["usable"]
    steps = check.steps("*")
    failed(steps, "ListStreams", "kinesisvideo:ListStreams")
    assert len(check.found["policy"]["Statement"]) == 2
    assert not check.found["usable"]


@pytest.mark.parametrize("name,value,step,pieces", [
    ("AWS_SECRET_ACCESS_KEY", "wrong", "DescribeStream",
     ["the secret access key does not belong"]),
    ("AWS_ACCESS_KEY_ID", "AKIDUNKNOWN", "DescribeStream",
     ["does not know this access key"]),
    ("AWS_ACCESS_KEY_ID", "", "credentials", ["run 'aws configure'"]),
    ("AWS_PROFILE", "none", "config", ["no profile 'none'"]),
    ("AWS_REGION", "", "region", ["give --region"]),
    ("AWS_REGION", "eu west", "config", ["'eu west' is no region"]),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "TLS", ["nobody listens"]),
    ("AWS_ENDPOINT_URL", "https://nowhere.invalid", "DNS",
     ["nowhere.invalid", "name server"]),
    ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z", "credentials",
     ["expired at 2020-01-01T00:00:00Z"]),
])
def test_what_is_wrong_is_named(name, value, step, pieces, check):
    check.env[name] = value
    failed(check.steps("front-door"), step, *pieces)


def test_a_file_that_cannot_be_read(check, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nwhat is this\n")
    failed(check.steps(), "config", f"{tmp_path}/.aws/config:2: ")
    assert [s["step"] for s in check.found["steps"]][-2:] == ["FUSE", "cache"]


def test_keys_that_nobody_renews(check):
    check.env["AWS_CREDENTIAL_EXPIRATION"] = "2100-01-01T00:00:00Z"
    status, text = check.steps("front-door")["credentials"]
    assert status == "warning" and "name a profile instead" in text


def test_a_role(check, tmp_path):
    with aws_fakes.FakeSts(aws_fakes.Keys("STS", on_new=lambda key:
                                          check.server.control(
                                              "credentials", access_key=key.id,
                                              secret_key=key.secret,
                                              session_token=key.token))) as sts:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws" / "config").write_text(
            "[profile r]\nrole_arn = arn:aws:iam::1:role/watcher\n"
            "credential_source = Environment\n")
        check.env.update(AWS_PROFILE="r", **sts.environment())
        # Keys in the environment go before a profile that it names.
        assert "(env)" in check.steps("front-door")["credentials"][1]
        status, text = check.steps("--profile=r", "front-door")["credentials"]
        assert status == "ok" and "role/watcher, by the environment" in text
        assert "(assume-role)" in text and "renewed before" in text
        assert check.found["usable"]


@pytest.mark.parametrize("trusted", [True, False])
def test_tls(trusted, check, tmp_path):
    with tls_front.TlsFront(check.server.url, tmp_path) as front:
        check.env.update(front.environment())
        if not trusted:
            del check.env["AWS_CA_BUNDLE"]
        steps = check.steps("front-door")
        if trusted:
            assert steps["TLS"][0] == "ok" and check.found["usable"]
        else:
            failed(steps, "TLS", "certificate", "AWS_CA_BUNDLE")


@pytest.mark.parametrize("offset", ["-2h", "+30m"])
def test_a_clock_that_is_wrong(offset, tmp_path):
    with kvs_server.Server(args=["--clock", offset]) as kvs:
        check = Check(kvs, tmp_path)
        status, text = check.steps()["clock"]
        assert status == "warning" and "set it" in text
        assert ("fast" if offset[0] == "-" else "slow") in text
        assert check.found["usable"]


def test_no_retention(check):
    check.server.control("stream", stream="front-door", retention_hours=0)
    failed(check.steps("front-door"), "retention", "keeps no data")


def test_media_that_is_refused_in_band(check):
    check.server.fault("in-band", code=4500, name="KMS_KEY_ACCESS_DENIED",
                       count=-1)
    failed(check.steps("front-door"), "GetMediaForFragmentList",
           "error 4500", "kms:Decrypt")


def test_media_that_is_none(check):
    check.server.fault("garbage", bytes=0, count=-1)
    failed(check.steps("front-door"), "GetMediaForFragmentList",
           "no whole fragment")


def test_a_cache_that_cannot_be(check, tmp_path):
    (tmp_path / "file").write_text("")
    check.cache = tmp_path / "file" / "cache"
    failed(check.steps("front-door"), "cache", "--cache-dir")


def test_a_cache_that_is_there_is_left_alone(check, mount):
    m = mount("front-door")
    check.cache = m.cache
    steps = check.steps("front-door")
    assert "not there" not in steps["cache"][1]
    assert (m.cache / "index.db").exists()


def test_too_many_arguments(check):
    done = check.run("a", "b")
    assert done.returncode == 1 and "one argument too many" in done.stderr
