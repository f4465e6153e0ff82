# SPDX-License-Identifier: MIT
"""kvsfs's settings, credentials and signatures against botocore's.

Two unit tests have a mode that prints what they were led to; nothing here
mounts or needs a network.
"""
import datetime
import json
import os
import random
import subprocess
import types

import botocore.auth
import botocore.awsrequest
import botocore.configloader
import botocore.configprovider
import botocore.credentials
import botocore.exceptions
import botocore.session
import pytest

import mounting

UNIT = mounting.BUILD / "tests" / "unit"
ROUNDS = 60


def run(program, *arguments, env=None):
    path = UNIT / program
    if not path.exists():
        pytest.skip(f"{path} is missing: run make unit-aws unit-creds first")
    if env is not None:
        # What a sanitizer needs to know is not part of the case.
        env = {**{k: v for k, v in os.environ.items() if "SAN_" in k}, **env}
    return subprocess.run([path, *arguments], env=env, check=True, text=True,
                          encoding="utf-8", errors="surrogateescape",
                          stdout=subprocess.PIPE).stdout


def ours(env, profile=None):
    text = run("creds/test_resolve", "--print", *([profile] if profile else []),
               env=env)
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def theirs(env, profile=None):
    """The same keys from botocore; "error" where it raises."""
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(env, AWS_EC2_METADATA_DISABLED="true")
    try:
        session = botocore.session.Session(profile=profile)
        client = session.create_client("kinesisvideo")
        keys = session.get_credentials()
        found = {
            "profile": session.profile or "default",
            "region": client.meta.region_name,
            "control_url": client.meta.endpoint_url,
            "ca_bundle": session.get_config_variable("ca_bundle") or "",
        }
        if keys:
            keys = keys.get_frozen_credentials()
            found.update(access_key_id=keys.access_key,
                         secret_access_key=keys.secret_key,
                         session_token=keys.token or "")
        return found
    except (botocore.exceptions.BotoCoreError, ValueError) as e:
        return {"error": str(e)}
    finally:
        os.environ.clear()
        os.environ.update(saved)


def compare(env, profile=None):
    mine, reference = ours(env, profile), theirs(env, profile)
    if "error" in reference:
        assert "error" in mine or "no_credentials" in mine, reference
        return
    assert mine.pop("no_credentials", "") == "" or \
        "access_key_id" not in reference
    for key in "provider", "sts_url", "portal_url", "oidc_url":
        mine.pop(key, None)
    assert mine == reference


@pytest.fixture
def home(tmp_path):
    """home(config, credentials) -> an environment that uses them."""
    def write(config=None, credentials=None, **env):
        folder = tmp_path / ".aws"
        folder.mkdir(exist_ok=True)
        for name, text in ("config", config), ("credentials", credentials):
            if text is not None:
                (folder / name).write_text(text)
        return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin",
                "AWS_EC2_METADATA_DISABLED": "true", **env}
    return write


KEYS = "aws_access_key_id = AKIDFILE\naws_secret_access_key = a/b+c\n"
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s"}
REGION = {"AWS_DEFAULT_REGION": "us-west-2"}

SITUATIONS = [
    # config, credentials, environment, --profile
    (None, None, {}, None),
    (None, None, REGION, None),
    (None, None, {**REGION, **ENV_KEYS}, None),
    (None, None, {**REGION, **ENV_KEYS, "AWS_SESSION_TOKEN": "t"}, None),
    (None, None, {**REGION, "AWS_ACCESS_KEY_ID": "AKIDENV"}, None),
    (None, f"[default]\n{KEYS}", REGION, None),
    (None, f"[default]\n{KEYS}", {**REGION, **ENV_KEYS}, None),
    ("[default]\nregion = eu-west-1\n", f"[default]\n{KEYS}", {}, None),
    ("[default]\nregion = eu-west-1\n", f"[default]\n{KEYS}", REGION, None),
    ("[default]\nregion = eu-west-1\n",
     f"[default]\nregion = eu-west-2\n{KEYS}", {}, None),
    (f"[profile x]\nregion = eu-west-1\n{KEYS}", None, {}, "x"),
    (f"[profile x]\nregion = eu-west-1\n{KEYS}", None, ENV_KEYS, "x"),
    (f"[profile x]\nregion = eu-west-1\n{KEYS}", None,
     {**ENV_KEYS, "AWS_PROFILE": "x"}, None),
    (f"[profile x]\nregion = eu-west-1\n{KEYS}", None,
     {"AWS_DEFAULT_PROFILE": "x"}, None),
    (f"[x]\nregion = eu-west-1\n{KEYS}", None, {}, "x"),
    ("[profile x]\nregion = eu-west-1\n", f"[x]\n{KEYS}", {}, "x"),
    (None, f"[x]\nregion = eu-west-1\n{KEYS}", {}, "x"),
    (f"[profile 'x y']\nregion = eu-west-1\n{KEYS}", None, {}, "x y"),
    (None, None, {**REGION, **ENV_KEYS}, "none-such"),
    (None, None, {**REGION, **ENV_KEYS, "AWS_PROFILE": "none-such"}, None),
    (None, None, {**REGION, **ENV_KEYS}, "default"),
    ("[default]\nrole_arn = arn:aws:iam::1:role/r\nregion = us-east-1\n",
     f"[default]\n{KEYS}", {}, None),
    ("[default]\nnonsense\n", None, {**REGION, **ENV_KEYS}, None),
    ("[default]\nca_bundle = /dev/null\n", None, {**REGION, **ENV_KEYS}, None),
    ("[default]\nca_bundle = /none\n", None,
     {**REGION, **ENV_KEYS, "AWS_CA_BUNDLE": "/dev/null"}, None),
    ("[default]\nuse_fips_endpoint = true\n", None, {**REGION, **ENV_KEYS},
     None),
    ("[default]\nuse_fips_endpoint = true\n", None,
     {**REGION, **ENV_KEYS, "AWS_USE_FIPS_ENDPOINT": "false"}, None),
    (None, f"[default]\n{KEYS}aws_session_token = {'T' * 5000}\n", REGION,
     None),
]


@pytest.mark.parametrize("number", range(len(SITUATIONS)))
def test_settings_are_botocores(number, home):
    config, credentials, env, profile = SITUATIONS[number]
    compare(home(config, credentials, **env), profile)


@pytest.mark.parametrize("fips", ["false", "true"])
@pytest.mark.parametrize("dualstack", ["false", "true"])
def test_hosts_are_botocores(fips, dualstack, home):
    regions = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-5",
               "me-south-1", "cn-north-1", "cn-northwest-1"]
    if "true" in (fips, dualstack):
        # Otherwise old botocores name a host that does not exist there.
        regions.append("us-gov-west-1")
    for region in regions:
        compare(home(AWS_DEFAULT_REGION=region, AWS_USE_FIPS_ENDPOINT=fips,
                     AWS_USE_DUALSTACK_ENDPOINT=dualstack, **ENV_KEYS))


@pytest.mark.skipif(
    not hasattr(botocore.configprovider, "ConfiguredEndpointProvider"),
    reason="this botocore reads no endpoint URLs")
@pytest.mark.parametrize("mask", range(32))
def test_endpoint_urls_are_botocores(mask, home):
    env, config = {**REGION, **ENV_KEYS}, "[default]\n"
    if mask & 1:
        env["AWS_ENDPOINT_URL"] = "https://any"
    if mask & 2:
        env["AWS_ENDPOINT_URL_KINESIS_VIDEO"] = "https://own"
    if mask & 4:
        config += "endpoint_url = https://profile\n"
    if mask & 8:
        config += "services = s\n"
    if mask & 16:
        env["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    config += "[services s]\nkinesis_video =\n  endpoint_url = https://s\n"
    compare(home(config, **env))


def some_file(rng, names):
    """A profile file with the liberties that people take."""
    lines = []
    for name in names:
        lines += rng.choice([[], [""], ["# = ["], ["; x"], ["", "  # [x]"]])
        lines.append(f"[{name}]" + rng.choice(["", " ", " # why", "  ; why"]))
        # Deeper lines go on with the one before: one indent per section.
        indent = rng.choice(["", "", " ", "\t"])
        keys = ["region", "aws_access_key_id", "aws_secret_access_key",
                "aws_session_token", "output", "s3"]
        keys += rng.choice([["services"], [], [], [], []])
        some = len(keys) if rng.random() < 0.7 else rng.randrange(len(keys))
        for key in rng.sample(keys, some):
            lines += rng.choice([[], [], [""], [f"{indent}# c"], ["#c"]])
            if key == "s3":
                lines.append(f"{indent}s3 =")
                lines += [f"{indent}  region = nested",
                          f"{indent}  aws_access_key_id = nested"]
                continue
            letters = "abcAZ09/+=:;#\"'-_." + rng.choice(["", "", "", " "])
            value = "".join(rng.choice(letters)
                            for _ in range(rng.choice([1, 3, 40, 2000])))
            if key in ("region", "services"):
                value = "us-west-2"
            sign = rng.choice(["=", " = ", ":", " : ", "\t=\t"])
            lines.append(indent + rng.choice([key, key.upper()]) + sign +
                         (value.strip() or "v") + rng.choice(["", " ", "\t"]))
    return rng.choice(["\n", "\r\n"]).join(lines) + "\n"


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_profile_files_are_botocores(seed, home, tmp_path):
    rng = random.Random(seed)
    env = home(some_file(rng, ["default", "profile a", 'profile "b c"', "d"]),
               some_file(rng, ["a", "e", "b c"]))
    config = botocore.configloader.load_config(tmp_path / ".aws/config")
    credentials = botocore.configloader.raw_config_parse(
        tmp_path / ".aws/credentials")
    for profile in "default", "a", "b c", "d", "e":
        merged = {**config["profiles"].get(profile, {}),
                  **credentials.get(profile, {})}
        mine = ours(env, profile)
        if profile not in config["profiles"] and profile not in credentials:
            assert "no profile" in mine["error"]
        elif "services" in merged:
            assert "[services us-west-2]" in mine["error"] or \
                "region" not in merged
        elif "region" not in merged:
            assert "no region" in mine["error"]
        else:
            assert mine["region"] == merged["region"]
            same_keys(mine, credentials.get(profile, {}),
                      config["profiles"].get(profile, {}))


def same_keys(mine, credentials, config):
    """Keys come whole from the first file that has an access key."""
    source = credentials if "aws_access_key_id" in credentials else config
    values = [source.get(k) for k in ("aws_access_key_id",
                                      "aws_secret_access_key")]
    token = source.get("aws_session_token", "")
    if None in values or any(" " in v for v in [*values, token]):
        assert "no_credentials" in mine
        return
    assert [mine["access_key_id"], mine["secret_access_key"],
            mine["session_token"]] == [*values, token]


class Frozen:
    """The datetime that botocore.auth asks, with its clock stopped."""
    fixed = None

    @classmethod
    def utcnow(cls):
        return cls.fixed


def some_request(rng):
    def word(letters="abcXYZ019-_.~", longest=8):
        return "".join(rng.choice(letters)
                       for _ in range(rng.randint(1, longest)))

    segments = [rng.choice(["", ".", "..", "a b", "%41", word(), word()])
                for _ in range(rng.randrange(6))]
    return {
        "method": rng.choice(["GET", "POST", "PUT"]),
        "path": "/" + "".join(s + "/" for s in segments) +
                rng.choice(["", "end"]),
        "query": "&".join(word("abAB12") + "=" + word("abAB12")
                          for _ in range(rng.randrange(5))),
        "headers": {"Host": f"{word('abc')}.example.com",
                    **{f"X-{word('abc')}": rng.choice(["", " ", "  "]) +
                       word("ab  \t;,=\"") + "z" for _ in
                       range(rng.randrange(4))}},
        "body": rng.choice(["", word(), "{\"é\": 1}", word(longest=3000)]),
        "token": rng.choice([None, word("AZ09+/=", 900)]),
        "time": datetime.datetime(rng.randint(1971, 2100), rng.randint(1, 12),
                                  rng.randint(1, 28), rng.randint(0, 23),
                                  rng.randint(0, 59), rng.randint(0, 59)),
    }


def write_request(folder, r):
    target = r["path"] + ("?" + r["query"] if r["query"] else "")
    lines = [f"{r['method']} {target} HTTP/1.1",
             *(f"{k}:{v}" for k, v in r["headers"].items()), "", r["body"]]
    (folder / "request.txt").write_bytes("\n".join(lines).encode())
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s3cr3t/+"}
    if r["token"]:
        keys["token"] = r["token"]
    (folder / "context.json").write_text(json.dumps({
        "credentials": keys, "normalize": True, "region": "us-west-2",
        "service": "kinesisvideo", "sign_body": False,
        "timestamp": r["time"].strftime("%Y-%m-%dT%H:%M:%SZ")}))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_signatures_are_botocores(seed, tmp_path, monkeypatch):
    r = some_request(random.Random(seed))
    write_request(tmp_path, r)
    text = run("aws/test_sigv4_vectors", "--sign", tmp_path)

    Frozen.fixed = r["time"]
    if hasattr(botocore.auth, "get_current_datetime"):
        monkeypatch.setattr(botocore.auth, "get_current_datetime",
                            lambda: r["time"])
    else:
        monkeypatch.setattr(botocore.auth, "datetime",
                            types.SimpleNamespace(datetime=Frozen))
    request = botocore.awsrequest.AWSRequest(
        method=r["method"], headers=r["headers"], data=r["body"].encode(),
        url=f"https://{r['headers']['Host']}{r['path']}" +
            ("?" + r["query"] if r["query"] else ""))
    botocore.auth.SigV4Auth(
        botocore.credentials.Credentials("AKIDEXAMPLE", "s3cr3t/+",
                                         r["token"]),
        "kinesisvideo", "us-west-2").add_auth(request)
    assert f"Authorization: {request.headers['Authorization']}\n" in text, \
        text
