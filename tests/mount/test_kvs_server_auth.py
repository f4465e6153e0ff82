# SPDX-License-Identifier: MIT
"""Whom the local KVS lets in: signatures as boto3 makes them, and others."""
import botocore.exceptions
import pytest

import kvs_server


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs")) as server:
        yield server


def refused(kvs, **options):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        kvs.video(**options).list_streams()
    answer = e.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    return answer["Error"]["Code"], answer["Error"]["Message"]


def test_wrong_secret(kvs):
    name, text = refused(kvs, secret_key="wrong")
    assert name == "InvalidSignatureException"
    assert "does not match" in text


def test_wrong_secret_is_refused_by_every_call(kvs):
    number = kvs.fragments("lobby", limit=1)[0]["number"]
    video = kvs.video(secret_key="wrong")
    archive = kvs.archive(secret_key="wrong")
    for call in (
            lambda: video.list_streams(),
            lambda: video.describe_stream(StreamName="lobby"),
            lambda: video.get_data_endpoint(StreamName="lobby",
                                            APIName="LIST_FRAGMENTS"),
            lambda: archive.list_fragments(StreamName="lobby", NextToken="x"),
            lambda: archive.get_media_for_fragment_list(StreamName="lobby",
                                                        Fragments=[number])):
        with pytest.raises(botocore.exceptions.ClientError) as e:
            call()
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_unknown_key(kvs):
    assert refused(kvs, access_key="AKIDNOBODY")[0] == (
        "UnrecognizedClientException")


def test_wrong_region(kvs):
    name, text = refused(kvs, region="eu-west-1")
    assert name == "InvalidSignatureException" and "eu-west-1" in text


def test_token_where_none_is_known(kvs):
    assert refused(kvs, token="surplus")[0] == "UnrecognizedClientException"


@pytest.mark.parametrize("now, text", [
    ("+6m", "Signature expired"), ("-6m", "Signature not yet current")])
def test_skew(kvs, now, text):
    kvs.clock(now=now)
    try:
        name, message = refused(kvs)
    finally:
        kvs.clock(now="now")
    assert name == "InvalidSignatureException"
    assert message.startswith(text) and "5 min" in message


@pytest.mark.parametrize("now", ["+4m", "-4m"])
def test_small_skew(kvs, now):
    kvs.clock(now=now)
    try:
        assert kvs.video().list_streams()["StreamInfoList"]
    finally:
        kvs.clock(now="now")


def test_session_token_and_expiry(tmp_path):
    with kvs_server.Server(tmp_path, args=["--session-token", "t0ken"]) as kvs:
        assert refused(kvs)[0] == "UnrecognizedClientException"
        assert refused(kvs, token="other")[0] == "UnrecognizedClientException"
        assert kvs.video(token="t0ken").list_streams()["StreamInfoList"]
        kvs.control("credentials", access_key=kvs.access_key,
                    secret_key=kvs.secret_key, session_token="t0ken",
                    expired=True)
        name, text = refused(kvs, token="t0ken")
        assert name == "ExpiredTokenException" and "expired" in text
        kvs.control("credentials", access_key="AKIDNEW", secret_key="new",
                    session_token="new")
        assert kvs.video(access_key="AKIDNEW", secret_key="new",
                         token="new").list_streams()["StreamInfoList"]
        kvs.control("credentials", access_key="AKIDNEW", remove=True)
        assert refused(kvs, access_key="AKIDNEW", secret_key="new",
                       token="new")[0] == "UnrecognizedClientException"


def test_no_signature(kvs):
    status, headers, text = kvs.post("listStreams", {}, sign=False)
    assert status == 403 and '"message"' in text
    assert headers["x-amzn-ErrorType"].startswith(
        "MissingAuthenticationTokenException:")


def test_signature_of_another_form(kvs):
    status, headers, _ = kvs.post("listStreams", {}, sign=False, headers={
        "Authorization": "Basic QWxhZGRpbg=="})
    assert status == 403
    assert headers["x-amzn-ErrorType"].startswith("IncompleteSignature")


def test_body_is_covered(kvs):
    """A signed request whose body was changed on the way."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import urllib.error
    import urllib.request

    request = botocore.awsrequest.AWSRequest(
        "POST", f"{kvs.url}/listStreams", data=b'{"MaxResults": 1}')
    botocore.auth.SigV4Auth(
        botocore.credentials.Credentials(kvs.access_key, kvs.secret_key),
        "kinesisvideo", kvs.region).add_auth(request)
    for body, status in ((b'{"MaxResults": 1}', 200),
                         (b'{"MaxResults": 2}', 403)):
        raw = urllib.request.Request(request.url, data=body,
                                     headers=dict(request.headers))
        try:
            assert urllib.request.urlopen(raw).status == status
        except urllib.error.HTTPError as error:
            assert error.code == status


def test_arn_with_colons_and_slashes(kvs):
    arn = kvs.video().describe_stream(
        StreamName="lobby")["StreamInfo"]["StreamARN"]
    assert kvs.video().describe_stream(StreamARN=arn)
