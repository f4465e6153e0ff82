# SPDX-License-Identifier: MIT
"""Who is asked for credentials, in which order: as botocore does it, with
services on this machine in place of AWS's."""
import itertools
import json
import os

import botocore.configprovider
import botocore.exceptions
import botocore.session
import pytest

import aws_fakes
from test_aws_settings import UNIT, ours

KEYS = "aws_access_key_id = AKIDFILE\naws_secret_access_key = a/b+c\n"
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "es"}
SSO = "sso_account_id = 42\nsso_role_name = R\n"
SESSION = "sso_session = s\n" + SSO
LEGACY = SSO + "sso_start_url = https://u\nsso_region = eu-west-1\n"
SECTION = "[sso-session s]\nsso_start_url = https://u\nsso_region = eu-west-1\n"
PROCESS = "credential_process = @/process\n"
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "@/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}


def role(name, source):
    return f"role_arn = arn:aws:iam::1:role/{name}\n{source}\n"


class World:
    """A home with all that may be asked in it."""

    def __init__(self, folder):
        self.folder = folder
        self.imds = aws_fakes.FakeImds(aws_fakes.Keys("IMDS"))
        self.container = aws_fakes.FakeContainer(aws_fakes.Keys("CONT"))
        self.sts = aws_fakes.FakeSts(aws_fakes.Keys("STS"))
        self.sso = aws_fakes.FakeSso(aws_fakes.Keys("SSO"))
        self.all = [self.imds, self.container, self.sts, self.sso]
        (folder / ".aws").mkdir()
        (folder / "token").write_text("a-web-identity-token")
        process = folder / "process"
        process.write_text("#!/bin/sh\necho '" + json.dumps(
            {"Version": 1, "AccessKeyId": "AKIDPROC",
             "SecretAccessKey": "ps", "SessionToken": "pt"}) + "'\n")
        process.chmod(0o755)
        aws_fakes.write_sso_token(folder, "s")
        aws_fakes.write_sso_token(folder, "https://u")

    def environment(self, config=None, credentials=None, **env):
        for name, text in ("config", config), ("credentials", credentials):
            if text is not None:
                (self.folder / ".aws" / name).write_text(
                    text.replace("@", str(self.folder)))
        found = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin",
                 **self.sts.environment(), **self.sso.environment(),
                 "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds.url,
                 "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2"}
        for name, value in env.items():
            if value == "container":
                value = self.container.url + "/creds"
            found[name] = value.replace("@", str(self.folder))
        return found

    def close(self):
        for fake in self.all:
            fake.__exit__()


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def theirs(world, env, profile):
    """What botocore finds, as ours() prints it.  Its old versions know no
    variable for an endpoint, and keep paths of the home they began with."""
    saved = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    cache = str(world.folder / ".aws" / "sso" / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR",
                      cache)
        patch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR",
                      cache)
        try:
            session = botocore.session.Session(profile=profile)
            make = session.create_client
            urls = {"sts": world.sts.url, "sso": world.sso.url,
                    "sso-oidc": world.sso.url}
            session.create_client = lambda service, *a, **k: make(
                service, *a, **{"endpoint_url": urls.get(service), **k})
            keys = session.get_credentials()
            if keys is None:
                return {"provider": None}
            frozen = keys.get_frozen_credentials()
            return {"provider": keys.method, "access_key_id": frozen.access_key,
                    "secret_access_key": frozen.secret_key,
                    "session_token": frozen.token or ""}
        except (botocore.exceptions.BotoCoreError,
                botocore.exceptions.ClientError, ValueError, OSError) as e:
            return {"error": str(e)}
        finally:
            os.environ.clear()
            os.environ.update(saved)


def compare(world, env, profile=None):
    """The same provider, and the same keys: where they are made anew each time,
    of the same kind, asked for in the same way."""
    mine = ours(env, profile)
    my_calls = world.sts.calls()
    world.sts.requests.clear()
    reference = theirs(world, env, profile)
    if "error" in reference or reference["provider"] is None:
        assert "access_key_id" not in mine, (mine, reference)
        assert mine.get("error") or mine.get("no_credentials")
        return
    assert "access_key_id" in mine, (mine, reference)
    assert mine["provider"] == reference["provider"]
    made_anew = reference["access_key_id"][-4:].isdigit()
    if made_anew:
        assert mine["access_key_id"][:-4] == reference["access_key_id"][:-4]
    else:
        assert mine["access_key_id"] == reference["access_key_id"]
        assert mine["secret_access_key"] == reference["secret_access_key"]
        assert mine["session_token"] == reference["session_token"]
    # Action, role, external id, duration, whose key: session names differ
    # where they are made up.
    def shape(calls):
        return [(a, r, n if "session" not in n and "kvsfs" not in n else "",
                 x, d, k[:-4]) for a, r, n, x, d, k in calls]
    assert shape(my_calls) == shape(world.sts.calls())


CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container"}
PROFILES = {
    "nothing": "",
    "keys": KEYS,
    "process": PROCESS,
    "session": SESSION,
    "legacy": LEGACY,
    "role": role("r", "source_profile = base"),
    "role with options": role("r", "source_profile = base\nexternal_id = ee\n"
                                   "role_session_name = nn\n"
                                   "duration_seconds = 900"),
    "role of the environment": role("r", "credential_source = Environment"),
    "role of the instance": role("r", "credential_source = Ec2InstanceMetadata"),
    "role of the container": role("r", "credential_source = EcsContainer"),
    "chained roles": role("r", "source_profile = middle"),
    "role of a process": role("r", "source_profile = processed"),
    "role of legacy SSO": role("r", "source_profile = legacy"),
    "role of itself": KEYS + role("r", "source_profile = @@"),
    "web": role("w", "web_identity_token_file = @/token"),
    "web with keys": KEYS + role("w", "web_identity_token_file = @/token"),
    "keys and process": KEYS + PROCESS,
    "keys and session": KEYS + SESSION,
    "session and process": SESSION + PROCESS,
}
MORE = (f"[profile base]\n{KEYS}"
        f"[profile middle]\n{role('m', 'source_profile = base')}"
        f"[profile processed]\n{PROCESS}"
        f"[profile legacy]\n{LEGACY}" + SECTION)
ENVIRONMENTS = {
    "bare": {},
    "keys": ENV_KEYS,
    "web": WEB,
    "container": CONTAINER,
}


@pytest.mark.parametrize("explicit", [False, True], ids=["", "named"])
@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize("profile", PROFILES)
def test_providers_are_botocores(profile, env, explicit, world):
    name = "x" if explicit else "default"
    section = "[profile x]\n" if explicit else "[default]\n"
    config = section + PROFILES[profile].replace("@@", name) + MORE
    compare(world, world.environment(config, **ENVIRONMENTS[env]),
            "x" if explicit else None)


BROKEN = [
    "[default]\nrole_arn = arn:aws:iam::1:role/x\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = none\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = y\n[profile y]\n"
    "role_arn = arn:aws:iam::1:role/y\nsource_profile = default\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = y\n[profile y]\na = b\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = environment\n",
    "[default]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = Environment\n"
    "source_profile = default\n",
    "[default]\nweb_identity_token_file = @/token\n",
    "[default]\nweb_identity_token_file = @/none\nrole_arn = arn:aws:iam::1:role/x\n",
    "[default]\nsso_session = none\n" + SSO,
    "[default]\nsso_session = s\nsso_account_id = 42\n" + SECTION,
    "[default]\nsso_session = s\nsso_region = a\n" + SSO + SECTION,
    "[default]\naws_access_key_id = A\n",
    "[default]\ncredential_process = false\n",
    "[default]\ncredential_process = echo {}\n",
    "[default]\ncredential_process = echo [\n",
]


@pytest.mark.parametrize("config", BROKEN)
def test_what_botocore_refuses_is_refused(config, world):
    compare(world, world.environment(config))


# What is known to differ (README.md, fs/aws/config.h): whose takes it.
DIFFERENCES = [
    ("a byte order mark", "\ufeff[default]\n" + KEYS, {}, "ours"),
    ("a section twice", f"[default]\n[default]\n{KEYS}", {}, "ours"),
    ("a key twice", f"[default]\nregion = a\n{KEYS}region = b\n", {}, "ours"),
    ("an empty variable", f"[default]\n{KEYS}", {"AWS_PROFILE": ""}, "ours"),
    ("a NUL byte", f"# \0\n[default]\n{KEYS}", {}, "theirs"),
]


@pytest.mark.parametrize("what,config,env,whose", DIFFERENCES)
def test_differences_are_the_ones_that_are_listed(what, config, env, whose,
                                                  world):
    found = world.environment(config, **env)
    taken = {"ours": "access_key_id" in ours(found),
             "theirs": "access_key_id" in theirs(world, found, None)}
    assert [w for w, yes in taken.items() if yes] == [whose], what


@pytest.mark.parametrize("v1,token", itertools.product(
    [False, True], ["ok", "403", "404", "405", "400"]))
@pytest.mark.parametrize("disabled", ["false", "true"])
def test_the_instance_is_botocores(v1, token, disabled, world):
    world.imds.v1 = v1
    world.imds.mode = {world.imds.TOKEN: token}
    compare(world, world.environment(AWS_EC2_METADATA_DISABLED=disabled))


@pytest.mark.parametrize("header", ["", "Bearer x"])
@pytest.mark.parametrize("wanted", [None, "Bearer x"])
def test_the_container_is_botocores(header, wanted, world):
    world.container.authorization = wanted
    env = world.environment(**CONTAINER)
    if header:
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = header
    compare(world, env)


def asked_at(session, service, operation, region):
    """Where botocore sends a request: its rules say so, not meta.endpoint_url,
    which is an older table's."""
    client = session.create_client(service, region_name=region,
                                   aws_access_key_id="a",
                                   aws_secret_access_key="b")
    model = client.meta.service_model.operation_model(operation)
    # pylint: disable=protected-access
    return client._ruleset_resolver.construct_endpoint(
        operation_model=model, call_args={}, request_context={}).url


@pytest.mark.parametrize("region", [
    "us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1",
    "us-iso-east-1", "us-isob-east-1"])
@pytest.mark.parametrize("switch", ["", "FIPS", "DUALSTACK"])
def test_hosts_of_the_others_are_botocores(region, switch, world):
    if "iso" in region and switch == "DUALSTACK":
        pytest.skip("old partitions.json knows no IPv6 there")
    config = ("[default]\n" + role("r", "source_profile = b") + "[profile b]\n" +
              SESSION + SECTION).replace("eu-west-1", region)
    env = world.environment(config)
    for name in [n for n in env if n.startswith("AWS_ENDPOINT_URL")]:
        del env[name]
    # Nobody is asked: there is no session to ask with.
    aws_fakes.sso_token_path(world.folder, "s").unlink()
    env.update(AWS_REGION=region, AWS_EC2_METADATA_DISABLED="true",
               HTTPS_PROXY="http://127.0.0.1:9",
               AWS_STS_REGIONAL_ENDPOINTS="regional")
    if switch:
        env[f"AWS_USE_{switch}_ENDPOINT"] = "true"
    mine = ours(env)
    saved = dict(os.environ)
    os.environ.update(env)
    try:
        session = botocore.session.Session()
        found = {key: asked_at(session, service, operation, region)
                 for key, service, operation in (
                     ("sts_url", "sts", "GetCallerIdentity"),
                     ("portal_url", "sso", "GetRoleCredentials"),
                     ("oidc_url", "sso-oidc", "CreateToken"))}
    finally:
        os.environ.clear()
        os.environ.update(saved)
    if region.startswith("us-gov") and switch == "FIPS" and \
            not hasattr(botocore.configprovider, "ConfiguredEndpointProvider"):
        # Debian 12's does not know yet that these have no other name there.
        del found["portal_url"], found["oidc_url"]
    assert {k: mine[k] for k in found} == found


def test_the_region_may_be_the_instances(world):
    env = world.environment()
    del env["AWS_REGION"], env["AWS_DEFAULT_REGION"]
    assert ours(env)["region"] == world.imds.region
    env["AWS_EC2_METADATA_DISABLED"] = "true"
    assert "no region" in ours(env)["error"]


def test_the_program_is_there():
    assert (UNIT / "creds" / "test_resolve").exists()
