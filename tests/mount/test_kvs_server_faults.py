# SPDX-License-Identifier: MIT
"""What the local KVS does wrong when it is told to, and what it limits."""
import concurrent.futures
import http.client
import json
import socket
import threading
import time

import botocore.exceptions
import pytest
import urllib3.exceptions

import ebml
import kvs_server

SELECTOR = {"FragmentSelectorType": "PRODUCER_TIMESTAMP",
            "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 4e9}}
STREAMS = [
    {"name": "door", "clip": "front-door.mkv", "end": 300, "start": "-1h"},
    {"name": "big", "end": 300, "start": "-1h",
     "media": {"kind": "synthetic", "payload_bytes": 2_000_000}},
    {"name": "huge", "end": 20, "start": "-1h",
     "media": {"kind": "synthetic", "payload_bytes": 50_000_000}},
]


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"),
                           streams=STREAMS) as server:
        yield server


@pytest.fixture
def kvs(process):
    yield process
    process.clear_faults()
    process.control("quotas", on=False)
    process.latency(0)
    process.reset()


def numbers(kvs, stream, n):
    return [f["number"] for f in kvs.fragments(stream, limit=n)]


def media(kvs, stream, asked):
    return kvs.archive().get_media_for_fragment_list(
        StreamName=stream, Fragments=asked)["Payload"]


def error_of(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**arguments)
    return (e.value.response["ResponseMetadata"]["HTTPStatusCode"],
            e.value.response["Error"]["Code"])


@pytest.mark.parametrize("api, path, body", [
    ("ListStreams", "listStreams", {}),
    ("DescribeStream", "describeStream", {"StreamName": "door"}),
    ("GetDataEndpoint", "getDataEndpoint",
     {"StreamName": "door", "APIName": "LIST_FRAGMENTS"}),
    ("ListFragments", "listFragments",
     {"StreamName": "door", "FragmentSelector": SELECTOR}),
    ("GetMediaForFragmentList", "getMediaForFragmentList",
     {"StreamName": "door", "Fragments": ["1"]}),
])
def test_errors_by_name(kvs, api, path, body):
    kvs.fault("error", api=api, status=401, name="NotAuthorizedException",
              message="no")
    status, headers, text = kvs.post(path, body)
    assert status == 401
    assert headers["x-amzn-ErrorType"] == (
        "NotAuthorizedException:http://internal.amazon.com/coral/"
        "com.amazonaws.kinesisvideo/")
    assert json.loads(text) == {"Message": "no"}
    assert kvs.post(path, body)[1].get("x-amzn-ErrorType", "").split(":")[0] \
        in ("", "InvalidArgumentException")
    assert kvs.ask("faults") == []


@pytest.mark.parametrize("where", ["amz", "body"])
def test_where_the_name_is(kvs, where):
    kvs.fault("error", name="AccessDeniedException", status=403, header=where)
    _, headers, text = kvs.post("listStreams", {})
    assert "x-amzn-ErrorType" not in headers
    if where == "amz":
        assert headers["x-amz-ErrorType"].startswith("AccessDeniedException:")
    else:
        assert json.loads(text)["code"] == "AccessDeniedException"


def test_throttles_come_as_400(kvs):
    kvs.fault("throttle", count=2, api="DescribeStream")
    describe = kvs.video().describe_stream
    for _ in range(2):
        assert error_of(describe, StreamName="door") == (
            400, "ClientLimitExceededException")
    describe(StreamName="door")
    kvs.fault("throttle", value="connection")
    assert error_of(describe, StreamName="door") == (
        400, "ConnectionLimitExceededException")


def test_a_fault_of_one_stream_until_cleared(kvs):
    fault = kvs.fault("throttle", count=-1, stream="door")
    describe = kvs.video().describe_stream
    for _ in range(3):
        assert error_of(describe, StreamName="door")[0] == 400
    describe(StreamName="big")
    kvs.control("faults/clear", id=fault)
    describe(StreamName="door")


def test_hangup_and_delay(kvs):
    kvs.fault("hangup")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        kvs.post("listStreams", {})
    kvs.fault("delay", ms=150)
    began = time.monotonic()
    kvs.post("listStreams", {})
    assert time.monotonic() - began >= 0.15
    kvs.latency(120)
    began = time.monotonic()
    kvs.post("listStreams", {})
    assert time.monotonic() - began >= 0.12


def test_answers_that_are_not_json(kvs):
    good = kvs.post("listStreams", {})[2]
    kvs.fault("not-json")
    assert kvs.post("listStreams", {})[2].startswith("<html>")
    kvs.fault("truncated-json")
    assert kvs.post("listStreams", {})[2] == good[:len(good) // 2]
    kvs.fault("huge-json", bytes=3_000_000)
    text = kvs.post("listStreams", {})[2]
    assert len(text) > 3_000_000
    parsed = json.loads(text)
    del parsed["Filler"]
    assert parsed == json.loads(good)


@pytest.mark.parametrize("kind, value, wanted", [
    ("bad-number", None, '"FragmentNumber":"../../x"'),
    ("bad-number", "", '"FragmentNumber":""'),
    ("bad-size", None, '"FragmentSizeInBytes":-1'),
    ("bad-size", "9223372036854775808",
     '"FragmentSizeInBytes":9223372036854775808'),
    ("bad-length", "-5", '"FragmentLengthInMilliseconds":-5'),
    ("bad-time", None, '"ProducerTimestamp":1E300'),
])
def test_bad_entries(kvs, kind, value, wanted):
    kvs.fault(kind, **({} if value is None else {"value": value}))
    asked = {"StreamName": "door", "FragmentSelector": SELECTOR}
    text = kvs.post("listFragments", asked)[2]
    assert text.count(wanted) == 1
    assert len(json.loads(text)["Fragments"]) == 100
    assert wanted not in kvs.post("listFragments", asked)[2]


def test_bad_names(kvs):
    kvs.fault("bad-name", count=2)
    for call in ("listStreams", "describeStream"):
        body = {} if call == "listStreams" else {"StreamName": "door"}
        assert '"StreamName":".."' in kvs.post(call, body)[2]


def test_empty_page(kvs):
    kvs.fault("empty-page", count=2)
    archive = kvs.archive()
    page = archive.list_fragments(StreamName="door", FragmentSelector=SELECTOR)
    got = [len(page["Fragments"])]
    while page.get("NextToken"):
        page = archive.list_fragments(StreamName="door",
                                      NextToken=page["NextToken"])
        got.append(len(page["Fragments"]))
    assert got == [0, 0, 100, 100, 100]


def test_endpoint(kvs):
    kvs.fault("endpoint", value="http://127.0.0.1:9")
    ask = kvs.video().get_data_endpoint
    asked = {"StreamName": "door", "APIName": "LIST_FRAGMENTS"}
    assert ask(**asked)["DataEndpoint"] == "http://127.0.0.1:9"
    assert ask(**asked)["DataEndpoint"] == kvs.url


@pytest.mark.parametrize("clean", [False, True])
def test_media_cut_short(kvs, clean):
    asked = numbers(kvs, "door", 3)
    whole = media(kvs, "door", asked).read()
    kvs.fault("cut", bytes=30000, clean=clean)
    body = media(kvs, "door", asked)
    if clean:
        assert body.read() == whole[:30000]
    else:
        with pytest.raises((botocore.exceptions.ResponseStreamingError,
                            urllib3.exceptions.ProtocolError)):
            body.read()
    assert media(kvs, "door", asked).read() == whole


def test_media_stalls_until_released(kvs):
    asked = numbers(kvs, "door", 3)
    whole = media(kvs, "door", asked).read()
    kvs.fault("stall", bytes=25000)
    body = media(kvs, "door", asked)
    got = body.read(25000)
    rest = []
    reader = threading.Thread(target=lambda: rest.append(body.read()))
    reader.start()
    reader.join(0.2)
    assert reader.is_alive()
    assert kvs.stats("door")["GetMediaForFragmentList"]["active"] == 1
    kvs.release()
    reader.join(10)
    assert got + rest[0] == whole


def test_a_stalled_body_ends_with_its_client(kvs):
    kvs.fault("stall", bytes=25000, count=-1)
    body = media(kvs, "door", numbers(kvs, "door", 3))
    body.read(100)
    body.close()
    until = time.monotonic() + 10
    while kvs.stats("door")["GetMediaForFragmentList"]["active"]:
        assert time.monotonic() < until


def test_missing_duplicate_garbage(kvs):
    asked = numbers(kvs, "door", 4)

    def sent():
        body = media(kvs, "door", asked).read()
        return [d.number for d in ebml.documents(body)]

    kvs.fault("missing", index=1)
    assert sent() == [asked[0], asked[2], asked[3]]
    kvs.fault("missing", number=asked[3])
    assert sent() == asked[:3]
    kvs.fault("missing")
    assert media(kvs, "door", asked).read() == b""
    kvs.fault("duplicate", index=2)
    assert sent() == asked[:3] + asked[2:]
    whole = media(kvs, "door", asked).read()
    kvs.fault("garbage", bytes=10)
    body = media(kvs, "door", asked).read()
    assert body[:10] == whole[:10] and set(body[10:]) == {0xAA}
    assert len(body) == len(whole)


def test_errors_in_band(kvs):
    asked = numbers(kvs, "door", 3)

    def sent():
        body = media(kvs, "door", asked).read()
        return list(ebml.documents(body))

    kvs.fault("not-found", number=asked[1])
    documents = sent()
    assert [d.number for d in documents] == asked
    assert documents[1].tags["AWS_KINESISVIDEO_ERROR_ID"] == "3000"
    kvs.fault("not-found", number=asked[1], stop=True, exception=True)
    documents = sent()
    assert len(documents) == 2
    assert documents[1].tags["AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"] == "4000"
    kvs.fault("in-band", code=4501, name="KMS_KEY_DISABLED", index=0)
    documents = sent()
    assert documents[0].tags == {
        "AWS_KINESISVIDEO_ERROR_CODE": "KMS_KEY_DISABLED",
        "AWS_KINESISVIDEO_ERROR_ID": "4501",
        "AWS_KINESISVIDEO_FRAGMENT_NUMBER": asked[0]}
    assert documents[1].blocks
    assert [bool(d.blocks) for d in sent()] == [True] * 3


@pytest.mark.parametrize("fault", [
    {"kind": "nonsense"}, {"kind": "cut", "byte": 3}, {"kind": "cut",
                                                     "bytes": "3"},
    {"kind": "throttle", "api": "GetClip"}])
def test_a_fault_that_is_none(kvs, fault):
    with pytest.raises(kvs_server.ControlError):
        kvs.control("faults", **fault)


# -- quotas ----------------------------------------------------------------


def refusals(call, n):
    refused = []
    for _ in range(n):
        try:
            call()
        except botocore.exceptions.ClientError as e:
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            refused.append(e.response["Error"]["Code"])
    return refused


def test_five_calls_a_second(kvs):
    kvs.control("quotas", calls=5)
    for stream in ("door", "big"):
        for call in (
                lambda s=stream: kvs.post("describeStream",
                                          {"StreamName": s})[0],
                lambda s=stream: kvs.post(
                    "getDataEndpoint",
                    {"StreamName": s, "APIName": "GET_MEDIA"})[0]):
            began = time.monotonic()
            got = [call() for _ in range(20)]
            allowed = 5 + 5 * (time.monotonic() - began) + 1
            assert got[:5] == [200] * 5
            assert got.count(200) <= allowed and 400 in got


def test_media_quota_in_fragments(kvs):
    """One of 1000 is let in by a full bucket and leaves it in debt."""
    asked = numbers(kvs, "door", 300)
    archive = kvs.archive()
    kvs.control("quotas", fragments=500)

    def get(some):
        archive.get_media_for_fragment_list(
            StreamName="door", Fragments=some)["Payload"].read()

    get(asked * 3)
    assert refusals(lambda: get(asked[:10]), 3) == [
        "ClientLimitExceededException"] * 3
    kvs.control("quotas", fragments=0)
    get(asked[:10])


def test_listing_costs_its_max_results(kvs):
    """What was asked for, not what came."""
    now = time.time()
    asked = {"StreamName": "door", "FragmentSelector": {
        **SELECTOR, "TimestampRange": {"StartTimestamp": now,
                                       "EndTimestamp": now + 1}}}
    kvs.control("quotas", points=10000)

    def status(size):
        return kvs.post("listFragments", {**asked, "MaxResults": size})[0]

    got = [status(1000) for _ in range(40)]
    assert got[:10] == [200] * 10
    assert 400 in got
    assert status(1) == 200


def test_five_connections(kvs):
    kvs.control("quotas", connections=5)
    asked = numbers(kvs, "door", 2)
    kvs.fault("stall", bytes=100, count=5)
    bodies = [media(kvs, "door", asked) for _ in range(5)]
    assert error_of(kvs.archive().get_media_for_fragment_list,
                    StreamName="door", Fragments=asked) == (
        400, "ConnectionLimitExceededException")
    media(kvs, "big", numbers(kvs, "big", 1)).read()
    kvs.release()
    for body in bodies:
        body.read()
    # All five have been given back, and before their bodies ended.
    for _ in range(5):
        media(kvs, "door", asked).read()


def test_bandwidth_of_a_connection(kvs):
    asked = numbers(kvs, "big", 5)
    kvs.control("quotas", bytes=25_000_000)
    began = time.monotonic()
    assert len(media(kvs, "big", asked).read()) > 10_000_000
    assert time.monotonic() - began > 0.38


def test_quotas_are_on_unless_they_are_switched_off(tmp_path):
    with kvs_server.Server(tmp_path, streams=STREAMS, quotas=True) as kvs:
        assert kvs.ask("quotas") == {
            "calls": 5, "connections": 5, "bytes": 25000000, "fragments": 500,
            "points": 10000, "list_streams": 50}
        kvs.control("quotas", on=False)
        assert set(kvs.ask("quotas").values()) == {0}


# -- load -------------------------------------------------------------------


def test_64_connections_at_once(kvs):
    """All are being served at the same time, which the stall proves."""
    kvs.fault("stall", bytes=5000, count=64)
    asked = numbers(kvs, "big", 1)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        bodies = list(pool.map(lambda _: media(kvs, "big", asked), range(64)))
        assert kvs.stats("big")["GetMediaForFragmentList"]["active"] == 64
        kvs.release()
        sizes = set(pool.map(lambda b: len(b.read()), bodies))
    assert len(sizes) == 1


def test_a_thousand_fragments_in_one_call(kvs):
    asked = (numbers(kvs, "door", 300) * 4)[:1000]
    body = media(kvs, "door", asked).read()
    assert [d.number for d in ebml.documents(body)] == asked


def test_a_fragment_of_50_mb(kvs):
    number = numbers(kvs, "huge", 1)[0]
    body = media(kvs, "huge", [number]).read()
    assert len(body) > 50_000_000
    assert body == kvs.media("huge", number)
    assert b"\0\0\0" not in body[1000:1_000_000]


@pytest.mark.parametrize("raw", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /listStreams HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx",
    b"POST /listStreams HTTP/1.1\r\nHost: x\r\nAuthorization: "
    b"AWS4-HMAC-SHA256 Credential=////, SignedHeaders=;;, Signature=\r\n\r\n",
    b"GET /_control/media?stream=%00&number=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
], ids=["tls", "half a body", "empty claim", "bad arguments", "long path"])
def test_it_survives_nonsense(kvs, raw):
    with socket.create_connection(("127.0.0.1", kvs.port), timeout=5) as s:
        s.sendall(raw)
        s.shutdown(socket.SHUT_WR)
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass
    assert kvs.post("listStreams", {})[0] == 200
