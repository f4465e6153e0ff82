# SPDX-License-Identifier: MIT
"""Everything that those who hand out credentials can do wrong ends in one line
that says who it was and what to do, in time."""
import json
import time

import pytest

import aws_fakes
from test_aws_settings import ours
from test_credential_chain import (KEYS, SECTION, SESSION, LEGACY, World, role,
                                   world)  # pylint: disable=unused-import

__all__ = ["world"]

ROLE = "[default]\n" + role("r", "source_profile = b") + f"[profile b]\n{KEYS}"
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "@/token",
       "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "container"}
SSO = "[default]\n" + SESSION + SECTION
LOGIN = "run 'aws sso login --sso-session s'"


def said(world, env, *pieces, within_s=3.0):
    """What is said instead of credentials, in one line and in time."""
    began = time.monotonic()
    found = ours(env)
    took = time.monotonic() - began
    assert "access_key_id" not in found, found
    text = found.get("no_credentials") or found["error"]
    for piece in pieces:
        assert piece in text, text
    assert took < within_s, f"{took:.1f} s: {text}"
    for fake in world.all:
        for key in fake.keys.given:
            assert key.secret not in text and key.token not in text, text
    return text


HOP = "--http-put-response-hop-limit 2"


@pytest.mark.parametrize("v1,modes,env,pieces,within_s", [
    (False, {"/latest/api": "403"}, {}, ["refused (HTTP status 401)"], 3),
    (False, {"/latest/api": "hang"}, {}, ["token", HOP], 4),
    (False, {"/latest/api": "hang"}, {"AWS_EC2_METADATA_V1_DISABLED": "true"},
     [HOP, "AWS_EC2_METADATA_V1_DISABLED"], 3),
    (True, {"/latest/api": "403"}, {"AWS_EC2_METADATA_V1_DISABLED": "true"},
     ["gave no token", "AWS_EC2_METADATA_V1_DISABLED"], 3),
    (False, {"/latest/meta-data": "no-role"}, {},
     ["no role: give it an instance profile"], 3),
    (False, {"/latest/meta-data/iam/security-credentials/the-role": "not-json"},
     {}, ["not JSON for role the-role"], 3),
    (False, {"/latest/meta-data": "error-json"}, {},
     ["AssumeRoleUnauthorizedAccess", "check that EC2 may assume it"], 3),
    (False, {"/latest/meta-data": "missing-field"}, {},
     ["no usable SecretAccessKey"], 3),
    (False, {"/latest/meta-data": "500"}, {}, ["HTTP status 500"], 3),
    (False, {"/latest/meta-data": "hang"}, {}, ["no EC2 metadata service"], 3),
    (False, "hang", {"AWS_METADATA_SERVICE_TIMEOUT": "2"},
     ["no EC2 metadata service"], 6),
])
def test_the_instance(v1, modes, env, pieces, within_s, world):
    world.imds.v1 = v1
    world.imds.mode = modes
    said(world, world.environment(**env), *pieces, within_s=within_s)


def test_the_instance_may_fall_back_to_version_1(world):
    """As the hop limit does it: the token never arrives."""
    world.imds.v1 = True
    world.imds.mode = {"/latest/api": "hang"}
    assert ours(world.environment())["provider"] == "iam-role"


def test_expired_keys_of_the_instance_are_used_on(world):
    """Its own trouble, and the services may still take them."""
    world.imds.mode = {"/latest/meta-data": "expired"}
    assert ours(world.environment())["provider"] == "iam-role"


def test_a_metadata_address_elsewhere(world):
    env = world.environment(
        AWS_EC2_METADATA_SERVICE_ENDPOINT="http://192.0.2.1/")
    said(world, env, "AWS_EC2_METADATA_SERVICE_ENDPOINT is", "https://")


@pytest.mark.parametrize("mode,pieces,within_s", [
    ("403", ["HTTP status 403", "is a role given to this task"], 3),
    ("404", ["HTTP status 404"], 3),
    ("500", ["HTTP status 500"], 5),
    ("not-json", ["not JSON"], 3),
    ("missing-field", ["no usable SecretAccessKey"], 3),
    ("expired", ["expired at 2020-01-01T00:00:00Z"], 3),
    ("huge", ["did not answer"], 5),
    ("hang", ["did not answer", "2000 ms"], 10),
])
def test_a_container(mode, pieces, within_s, world):
    world.container.mode = mode
    said(world, world.environment(**CONTAINER), *pieces, within_s=within_s)


@pytest.mark.parametrize("mode", ["500-once", "slow-1"])
def test_a_container_in_a_moments_trouble(mode, world):
    world.container.mode = mode
    assert ours(world.environment(**CONTAINER))["provider"] == "container-role"


@pytest.mark.parametrize("url,pieces", [
    ("http://192.0.2.1/creds", ["say https://"]),
    ("http://localhost.example.com/creds", ["say https://"]),
    ("ftp://localhost/creds", ["say https://"]),
    ("creds", ["say https://"]),
])
def test_a_container_of_somebody_else(url, pieces, world):
    env = world.environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=url)
    said(world, env, *pieces)
    assert not world.container.requests


def test_a_containers_token_file_is_read(world):
    world.container.authorization = "Bearer from-the-file"
    env = world.environment(**CONTAINER)
    path = world.folder / "authorization"
    env.update(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(path),
               AWS_CONTAINER_AUTHORIZATION_TOKEN="not this one")
    said(world, env, str(path), "cannot be read")
    path.write_text("Bearer from\r\nX-Evil: yes")
    said(world, env, "line break")
    path.write_text("Bearer another")
    said(world, env, "HTTP status 403")
    path.write_text("Bearer from-the-file")
    assert ours(env)["provider"] == "container-role"


@pytest.mark.parametrize("mode,pieces,within_s", [
    ("AccessDenied", ["role arn:aws:iam::1:role/r cannot be assumed",
                      "trust policy", "sts:AssumeRole", "request id req-sts",
                      "AccessDenied & <what> it means"], 3),
    ("ExpiredToken", ["have expired: renew them"], 3),
    ("RegionDisabledException", ["switch STS on for this region"], 3),
    ("SignatureDoesNotMatch", ["the secret access key is wrong"], 3),
    ("Throttling", ["Throttling"], 3),
    ("403", ["is no STS (HTTP status 403)"], 3),
    ("503", ["is no STS (HTTP status 503)"], 5),
    ("not-json", ["is no STS (HTTP status 200)"], 3),
    ("truncated", ["is no STS"], 3),
])
def test_sts(mode, pieces, within_s, world):
    world.sts.mode = mode
    said(world, world.environment(ROLE), *pieces, within_s=within_s)


def test_sts_in_a_moments_trouble(world):
    world.sts.mode = "503-once"
    assert ours(world.environment(ROLE))["provider"] == "assume-role"


def test_sts_out_of_reach(world):
    env = world.environment(ROLE, AWS_ENDPOINT_URL_STS="http://127.0.0.1:9")
    said(world, env, "STS at http://127.0.0.1:9 did not answer", within_s=5)


@pytest.mark.parametrize("offset_s", [-3600, 86400])
def test_sts_by_a_clock_that_is_right(offset_s, world):
    """Signed again by the service's clock."""
    world.sts.mode = "skewed"
    world.sts.date_offset_s = offset_s
    world.sts.keys.lifetime_s = 3 * 86400
    assert ours(world.environment(ROLE))["provider"] == "assume-role"
    assert len(world.sts.requests) == 2


@pytest.mark.parametrize("kind", ["sts", "sso", "container"])
def test_a_clock_that_is_fast(kind, world):
    """What is good for an hour looks, by this machine's, as if it had expired
    an hour ago."""
    fake = getattr(world, kind)
    fake.date_offset_s = -7200
    fake.keys.lifetime_s = -3600
    env = world.environment({"sts": ROLE, "sso": SSO}.get(kind),
                            **(CONTAINER if kind == "container" else {}))
    assert "access_key_id" in ours(env)


@pytest.mark.parametrize("mode,pieces", [
    ("ExpiredTokenException", ["the token in", "has expired"]),
    ("InvalidIdentityToken", ["identity provider in IAM"]),
])
def test_web_identity(mode, pieces, world):
    world.sts.mode = mode
    text = said(world, world.environment(**WEB), *pieces)
    assert "a-web-identity-token" not in text


def test_a_web_identity_token_that_is_missing(world):
    env = world.environment(**WEB)
    (world.folder / "token").write_text("\n")
    said(world, env, "holds no web identity token")
    (world.folder / "token").unlink()
    said(world, env, "cannot be read: No such file")




@pytest.mark.parametrize("mode,pieces", [
    ("401", ["session has ended", LOGIN]),
    ("403", ["role R in account 42"]),
    ("404", ["knows no role R"]),
    ("429", ["HTTP status 429"]),
    ("not-json", ["is no IAM Identity Center"]),
])
def test_sso(mode, pieces, world):
    world.sso.mode = mode
    said(world, world.environment(SSO), *pieces, within_s=5)


@pytest.mark.parametrize("config,name,login", [
    (SSO, "s", LOGIN),
    ("[default]\n" + LEGACY, "https://u", "aws sso login --profile default")])
def test_not_logged_in(config, name, login, world):
    env = world.environment(config)
    path = aws_fakes.write_sso_token(world.folder, name, lives_s=-1)
    said(world, env, "session has expired", login)
    path.write_text("{")
    said(world, env, "not logged in", login)
    path.unlink()
    said(world, env, "not logged in", login)
    assert not world.sso.requests


@pytest.mark.parametrize("lives_s", [-60, 60])
def test_a_session_is_renewed(lives_s, world):
    """And left to the CLI as it would have left it itself."""
    env = world.environment(SSO)
    path = aws_fakes.write_sso_token(world.folder, "s", lives_s=lives_s,
                                     refresh="good-refresh")
    before = json.loads(path.read_text())
    assert ours(env)["provider"] == "sso"
    after = json.loads(path.read_text())
    assert after["accessToken"] == "good-token+"
    assert after["refreshToken"] == "good-refresh+"
    assert after["expiresAt"] > before["expiresAt"]
    for key in "clientId", "clientSecret", "registrationExpiresAt", "startUrl":
        assert after[key] == before[key]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir() if "." in p.stem] == []
    # Nothing is asked of OIDC while it is good.
    world.sso.requests.clear()
    assert ours(env)["provider"] == "sso"
    assert {r.path for r in world.sso.requests} != {"/token"}


@pytest.mark.parametrize("mode", ["ok", "500", "not-json"])
def test_a_session_that_cannot_be_renewed(mode, world):
    env = world.environment(SSO)
    aws_fakes.write_sso_token(world.folder, "s", lives_s=-60, refresh="used")
    world.sso.mode = {"/token": mode}
    said(world, env, "session has expired", LOGIN, within_s=5)
    # While it is still good, that is no trouble.
    aws_fakes.write_sso_token(world.folder, "s", lives_s=60, refresh="used")
    assert ours(env)["provider"] == "sso"


@pytest.mark.parametrize("config,pieces", [
    ("[default]\n" + role("r", "source_profile = b\nmfa_serial = arn:mfa") +
     f"[profile b]\n{KEYS}", ["MFA code", "aws configure sso"]),
    ("[default]\nlogin_session = arn:aws:sts::1:x\n",
     ["'aws login'", "credential_process = aws configure export-credentials"]),
])
def test_what_only_the_cli_can_do(config, pieces, world):
    said(world, world.environment(config), *pieces)


def test_nothing_anywhere(world):
    env = world.environment(AWS_EC2_METADATA_DISABLED="true")
    text = said(world, env, "AWS_ACCESS_KEY_ID is not set", "aws configure")
    assert str(world.folder / ".aws") in text
