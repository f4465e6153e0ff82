# SPDX-License-Identifier: MIT
"""The local KVS speaks the protocol: boto3 drives all five calls."""
import datetime
import json
import re
import time

import botocore.exceptions
import pytest

import kvs_server

UTC = datetime.timezone.utc
HOUR = datetime.datetime(2026, 11, 22, 13, tzinfo=UTC)
NOW = "2026-11-22T16:00:00.000Z"
CLOCK = ["--clock", NOW, "--freeze", "--max-skew", "0"]

STREAMS = [
    {"name": "hour", "clip": "front-door.mkv", "end": 1800,
     "start": "2026-11-22T13:00:00Z"},
    {"name": "sorted", "clip": "front-door.mkv", "end": 1800,
     "start": "2026-11-22T13:00:00Z", "order": "sorted",
     "media_type": "video/h264"},
    {"name": "gappy", "clip": "front-door.mkv", "end": 1800,
     "start": "2026-11-22T13:00:00Z",
     "gaps": [["2026-11-22T13:10:00Z", "2026-11-22T13:20:00Z"],
              ["2026-11-22T13:15:00Z", "2026-11-22T13:30:00Z"]],
     "active": {"every_ms": 60000, "on_ms": 20000}},
    {"name": "growing", "clip": "front-door.mkv", "start": "-10m"},
    {"name": "empty-pages", "clip": "front-door.mkv", "end": 30,
     "start": "2026-11-22T13:00:00Z", "empty_pages": 3},
    {"name": "decade", "clip": "front-door.mkv", "start": "-3650d",
     "spacing_ms": 2000, "retention_hours": 87600},
    {"name": "short-lived", "clip": "front-door.mkv", "start": "-3h",
     "retention_hours": 1},
    {"name": "none", "clip": "front-door.mkv", "retention_hours": 0},
    {"name": "cam-{n}", "clip": "front-door.mkv", "copies": 25, "end": 3},
]


@pytest.fixture(scope="module")
def kvs(tmp_path_factory):
    with kvs_server.Server(tmp_path_factory.mktemp("kvs"), streams=STREAMS,
                           now=NOW, args=CLOCK) as server:
        yield server


@pytest.fixture(scope="module")
def video(kvs):
    return kvs.video()


@pytest.fixture(scope="module")
def archive(kvs):
    return kvs.archive("hour")


def selector(start, end, kind="PRODUCER_TIMESTAMP"):
    return {"FragmentSelectorType": kind,
            "TimestampRange": {"StartTimestamp": start, "EndTimestamp": end}}


def pages(archive, stream, start, end, kind="PRODUCER_TIMESTAMP", **more):
    """Every page of a listing, first with the selector, then by token."""
    answer = archive.list_fragments(
        StreamName=stream, FragmentSelector=selector(start, end, kind), **more)
    yield answer
    while answer.get("NextToken"):
        answer = archive.list_fragments(
            StreamName=stream, NextToken=answer["NextToken"], **more)
        yield answer


def listed(*args, **more):
    return [f for page in pages(*args, **more) for f in page["Fragments"]]


def test_list_streams_pages(video):
    names = []
    page = video.list_streams()
    assert len(page["StreamInfoList"]) == 10
    while True:
        names += [s["StreamName"] for s in page["StreamInfoList"]]
        if not page.get("NextToken"):
            break
        page = video.list_streams(NextToken=page["NextToken"], MaxResults=7)
        assert len(page["StreamInfoList"]) <= 7
    assert len(names) == len(set(names)) == 33
    assert names[:2] == ["hour", "sorted"] and names[-1] == "cam-0024"


def test_list_streams_by_paginator_and_prefix(video):
    condition = {"ComparisonOperator": "BEGINS_WITH",
                 "ComparisonValue": "cam-"}
    found = [s for page in video.get_paginator("list_streams").paginate(
        StreamNameCondition=condition) for s in page["StreamInfoList"]]
    assert len(found) == 25
    condition["ComparisonValue"] = "no such"
    assert video.list_streams(
        StreamNameCondition=condition)["StreamInfoList"] == []


def test_describe_stream(video):
    info = video.describe_stream(StreamName="sorted")["StreamInfo"]
    assert info["Status"] == "ACTIVE"
    assert info["MediaType"] == "video/h264"
    assert info["DataRetentionInHours"] == 24
    assert info["CreationTime"] == HOUR - datetime.timedelta(seconds=1)
    arn = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/sorted/"
    assert info["StreamARN"] == arn + "1795352399000"
    assert video.describe_stream(
        StreamARN=info["StreamARN"])["StreamInfo"] == info


def test_data_endpoint(kvs, video):
    for api in ("LIST_FRAGMENTS", "GET_MEDIA_FOR_FRAGMENT_LIST"):
        endpoint = video.get_data_endpoint(StreamName="hour", APIName=api)
        assert endpoint["DataEndpoint"] == kvs.url


def test_pages_are_whole_and_in_no_order(archive):
    got = list(pages(archive, "hour", HOUR, HOUR + datetime.timedelta(hours=1),
                     MaxResults=1000))
    assert [len(page["Fragments"]) for page in got] == [1000, 800]
    times = [f["ProducerTimestamp"] for p in got for f in p["Fragments"]]
    assert sorted(times) == [HOUR + datetime.timedelta(seconds=2 * i)
                             for i in range(1800)]
    # Across pages too: the second holds earlier fragments than the first.
    assert min(times[1000:]) < max(times[:1000])
    assert times[:1000] != sorted(times[:1000])


def test_sorted_stream(archive):
    times = [f["ProducerTimestamp"] for f in listed(
        archive, "sorted", HOUR, HOUR + datetime.timedelta(hours=1))]
    assert times == sorted(times) and len(times) == 1800


def test_max_results_defaults_to_100(archive):
    page = archive.list_fragments(
        StreamName="hour",
        FragmentSelector=selector(HOUR, HOUR + datetime.timedelta(hours=1)))
    assert len(page["Fragments"]) == 100
    pagers = archive.get_paginator("list_fragments").paginate(
        StreamName="hour",
        FragmentSelector=selector(HOUR, HOUR + datetime.timedelta(hours=1)))
    assert len([f for p in pagers for f in p["Fragments"]]) == 1800


def test_page_size_may_change_within_a_listing(archive):
    page = archive.list_fragments(
        StreamName="hour", MaxResults=10,
        FragmentSelector=selector(HOUR, HOUR + datetime.timedelta(minutes=1)))
    got = page["Fragments"]
    for size in (1, 19):
        page = archive.list_fragments(StreamName="hour", MaxResults=size,
                                      NextToken=page["NextToken"])
        got += page["Fragments"]
    assert len({f["FragmentNumber"] for f in got}) == 30
    assert archive.list_fragments(
        StreamName="hour", NextToken=page["NextToken"])["Fragments"] != []


def test_range_is_inclusive_at_both_ends(archive):
    second = datetime.timedelta(seconds=1)
    got = listed(archive, "hour", HOUR, HOUR + 4 * second)
    assert len(got) == 3
    got = listed(archive, "hour", HOUR + second, HOUR + 3 * second)
    assert [f["ProducerTimestamp"] for f in got] == [HOUR + 2 * second]
    assert listed(archive, "hour", HOUR + second, HOUR + second) == []


def test_fractions_of_a_second(kvs):
    """boto3 sends whole seconds; others do not."""
    def count(start, end):
        status, _, text = kvs.post("listFragments", {
            "StreamName": "hour", "FragmentSelector": selector(start, end)})
        assert status == 200
        return len(json.loads(text)["Fragments"])

    start = HOUR.timestamp()
    assert count(start + 0.001, start + 1.999) == 0
    assert count(start + 2.0, start + 2.0) == 1
    assert count(start + 1.9999999, start + 2.0000001) == 1


def test_server_time(kvs, archive):
    ten = datetime.timedelta(minutes=10)
    by_server = listed(archive, "hour", HOUR, HOUR + ten, "SERVER_TIMESTAMP")
    assert all(HOUR <= f["ServerTimestamp"] <= HOUR + ten for f in by_server)
    late = [f["ServerTimestamp"] - f["ProducerTimestamp"] for f in by_server]
    assert min(late) >= datetime.timedelta(milliseconds=150)
    assert max(late) < datetime.timedelta(milliseconds=400)
    assert len(set(late)) > 50
    everything = {f["number"] for f in kvs.fragments("hour")
                  if HOUR.timestamp() * 1000 <= f["server_ms"]
                  <= (HOUR + ten).timestamp() * 1000}
    assert {f["FragmentNumber"] for f in by_server} == everything


def test_fragment_numbers_have_the_services_form(archive):
    got = sorted(listed(archive, "hour", HOUR,
                        HOUR + datetime.timedelta(minutes=5)),
                 key=lambda f: f["ProducerTimestamp"])
    numbers = [int(f["FragmentNumber"]) for f in got]
    assert numbers == sorted(numbers)
    for f, n in zip(got, numbers):
        assert re.fullmatch("[0-9]{47}", f["FragmentNumber"])
        assert n >> 156 == 1
        ms = (n >> 28) & (2 ** 64 - 1)
        assert ms == round(f["ServerTimestamp"].timestamp() * 1000)
    assert len({n & (2 ** 28 - 1) for n in numbers}) > 140


def test_gaps_and_rhythm(kvs, archive):
    got = sorted(f["ProducerTimestamp"] for f in listed(
        archive, "gappy", HOUR, HOUR + datetime.timedelta(hours=1)))
    wanted = [HOUR + datetime.timedelta(seconds=s) for s in range(0, 3600, 2)
              if not 600 <= s < 1800 and s % 60 < 20]
    assert got == wanted
    assert [f["producer_ms"] for f in kvs.fragments("gappy")] == [
        w.timestamp() * 1000 for w in wanted]


def test_empty_pages(archive):
    got = list(pages(archive, "empty-pages", HOUR,
                     HOUR + datetime.timedelta(hours=1)))
    assert [len(page["Fragments"]) for page in got] == [0, 0, 0, 30]


def test_nothing_there(archive):
    got = list(pages(archive, "hour", HOUR - datetime.timedelta(hours=1),
                     HOUR - datetime.timedelta(minutes=30)))
    assert len(got) == 1 and got[0]["Fragments"] == []
    assert got[0].get("NextToken") is None


def test_ten_years_are_as_fast_as_an_hour(kvs, archive):
    end = HOUR + datetime.timedelta(hours=3)
    start = end - datetime.timedelta(days=3650)
    began = time.monotonic()
    page = archive.list_fragments(StreamName="decade", MaxResults=1000,
                                  FragmentSelector=selector(start, end))
    for _ in range(3):
        page = archive.list_fragments(StreamName="decade", MaxResults=1000,
                                      NextToken=page["NextToken"])
    assert len(page["Fragments"]) == 1000
    assert time.monotonic() - began < 5
    took = [r["took_us"] for r in kvs.requests("ListFragments", "decade")]
    assert sorted(took)[0] < 100_000
    spread = {f["ProducerTimestamp"].year for f in page["Fragments"]}
    assert len(spread) >= 10


def test_json_is_as_the_service_writes_it(kvs):
    status, headers, text = kvs.post("describeStream",
                                   {"StreamName": "hour"})
    assert status == 200
    assert '"CreationTime":1.795352399E9' in text
    assert '"DeviceName":null' in text and '"MediaType":null' in text
    assert re.fullmatch("[0-9a-f-]{36}", headers["x-amzn-RequestId"])
    assert headers["Date"] == "Sun, 22 Nov 2026 16:00:00 GMT"
    _, _, text = kvs.post("listFragments", {
        "StreamName": "hour", "MaxResults": 5,
        "FragmentSelector": selector(HOUR.timestamp(), HOUR.timestamp() + 3)})
    assert '"NextToken":null' in text
    stamps = re.findall(r'"ServerTimestamp":([^,}]*)', text)
    assert len(stamps) == 2
    assert all(re.fullmatch(r"1\.[0-9]{7,12}E9", s) for s in stamps)


def test_growing(kvs, archive):
    end = datetime.datetime(2026, 11, 22, 17, tzinfo=UTC)
    begin = end - datetime.timedelta(hours=2)
    before = listed(archive, "growing", begin, end)
    assert len(before) == 299
    kvs.clock(advance_ms=10_000)
    after = listed(archive, "growing", begin, end)
    assert len(after) == 304
    assert {f["FragmentNumber"] for f in before} < {
        f["FragmentNumber"] for f in after}
    kvs.clock(advance_ms=-10_000)


def test_listing_is_of_the_moment_it_began(kvs, archive):
    end = datetime.datetime(2026, 11, 22, 17, tzinfo=UTC)
    first = archive.list_fragments(
        StreamName="growing", MaxResults=299,
        FragmentSelector=selector(end - datetime.timedelta(hours=2), end))
    assert first.get("NextToken") is None
    first = archive.list_fragments(
        StreamName="growing", MaxResults=200,
        FragmentSelector=selector(end - datetime.timedelta(hours=2), end))
    kvs.clock(advance_ms=10_000)
    rest = archive.list_fragments(StreamName="growing", MaxResults=200,
                                  NextToken=first["NextToken"])
    kvs.clock(advance_ms=-10_000)
    both = first["Fragments"] + rest["Fragments"]
    assert len({f["FragmentNumber"] for f in both}) == len(both) == 299


def test_retention(kvs, archive):
    end = datetime.datetime(2026, 11, 22, 16, tzinfo=UTC)
    got = listed(archive, "short-lived", end - datetime.timedelta(hours=3), end)
    assert len(got) == 1799
    for stream, back in (("short-lived", 2), ("none", 0.1)):
        last = end - datetime.timedelta(hours=back)
        with pytest.raises(archive.exceptions.InvalidArgumentException) as e:
            listed(archive, stream, last - datetime.timedelta(hours=1), last)
        assert (f"End timestamp {int(last.timestamp() * 1000)} is outside of "
                "the stream retention period.") in str(e.value)


def test_added_fragments(kvs, archive):
    """A late upload, a producer with a wrong clock, and one of the future."""
    day = datetime.timedelta(days=1)
    made = kvs.add("cam-0001",
                   {"producer": "2026-11-22T12:00:00.500Z"},
                   {"producer": "2031-01-01T00:00:00Z",
                    "server": "2026-11-22T15:30:00Z", "length_ms": 1234,
                    "size_bytes": 77, "cluster": 3},
                   {"producer": "2026-11-22T12:00:00Z", "server": "+1h"})
    got = listed(archive, "cam-0001", HOUR - day, HOUR + 3650 * day)
    numbers = {f["FragmentNumber"] for f in got}
    assert [m["number"] in numbers for m in made] == [True, True, False]
    wrong = [f for f in got if f["ProducerTimestamp"].year == 2031]
    assert wrong[0]["FragmentLengthInMilliseconds"] == 1234
    assert wrong[0]["FragmentSizeInBytes"] == 77
    late = listed(archive, "cam-0001", HOUR + datetime.timedelta(hours=3),
                  HOUR + datetime.timedelta(hours=3), "SERVER_TIMESTAMP")
    assert [f["FragmentNumber"] for f in late] == [made[0]["number"]]
    body = archive.get_media_for_fragment_list(
        StreamName="cam-0001", Fragments=[made[1]["number"]])["Payload"].read()
    assert body == kvs.media("cam-0001", made[1]["number"])
    assert made[1]["cluster"] == 3


def test_restart_gives_the_same_fragments(tmp_path):
    with kvs_server.Server(tmp_path, streams=[
            {"name": "s", "clip": "lobby.mkv",
             "extra": [{"producer": "-1d", "server": "-1m"}]}]) as kvs:
        url, before = kvs.url, kvs.fragments("s")
        body = kvs.media("s", before[0]["number"])
        kvs.kill()
        kvs.start()
        assert kvs.url == url
        assert kvs.fragments("s", limit=len(before)) == before
        assert kvs.media("s", before[0]["number"]) == body
        assert before[0]["producer_ms"] < before[1]["producer_ms"] - 79_000_000
        assert kvs.stop() == 0


@pytest.mark.parametrize("call, arguments, name", [
    ("describe_stream", {"StreamName": "nobody"}, "ResourceNotFoundException"),
    ("get_data_endpoint", {"StreamName": "nobody", "APIName": "GET_MEDIA"},
     "ResourceNotFoundException"),
    ("describe_stream", {}, "InvalidArgumentException"),
    ("list_streams", {"NextToken": "bm9uc2Vuc2U="}, "InvalidArgumentException"),
])
def test_control_plane_errors(video, call, arguments, name):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        getattr(video, call)(**arguments)
    assert e.value.response["Error"]["Code"] == name
    assert e.value.response["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("path, body, status, name", [
    ("listFragments", {"StreamName": "hour"}, 500, "InternalFailure"),
    ("listFragments", {"StreamName": "hour", "NextToken": "x"}, 400,
     "InvalidArgumentException"),
    ("listFragments", {"StreamName": "hour", "MaxResults": 1001,
                       "FragmentSelector": selector(0, 1)}, 400,
     "InvalidArgumentException"),
    ("listFragments", {"StreamName": "hour",
                       "FragmentSelector": selector(2e9, 1e9)}, 400,
     "InvalidArgumentException"),
    ("listFragments", {"StreamName": "nobody",
                       "FragmentSelector": selector(0, 2e9)}, 404,
     "ResourceNotFoundException"),
    ("getMediaForFragmentList", {"StreamName": "hour", "Fragments": []}, 400,
     "InvalidArgumentException"),
    ("getMediaForFragmentList", {"StreamName": "hour",
                                 "Fragments": ["1"] * 1001}, 400,
     "InvalidArgumentException"),
    ("getDataEndpoint", {"StreamName": "hour", "APIName": "MINE"}, 400,
     "InvalidArgumentException"),
    ("nonsense", {}, 404, "UnknownOperationException"),
])
def test_raw_errors(kvs, path, body, status, name):
    got, headers, text = kvs.post(path, body)
    assert got == status
    assert headers["x-amzn-ErrorType"].startswith(f"{name}:http://internal.")
    assert json.loads(text)["Message"]


def test_token_of_another_stream(archive):
    page = archive.list_fragments(
        StreamName="hour", FragmentSelector=selector(
            HOUR, HOUR + datetime.timedelta(hours=1)))
    with pytest.raises(archive.exceptions.InvalidArgumentException):
        archive.list_fragments(StreamName="sorted",
                               NextToken=page["NextToken"])


def test_counters(kvs, archive):
    kvs.reset()
    listed(archive, "sorted", HOUR, HOUR + datetime.timedelta(seconds=21))
    with pytest.raises(botocore.exceptions.ClientError):
        archive.list_fragments(StreamName="nobody", NextToken="x")
    numbers = [f["number"] for f in kvs.fragments("sorted", limit=3)]
    body = archive.get_media_for_fragment_list(
        StreamName="sorted", Fragments=numbers)["Payload"].read()
    everyone, mine = kvs.stats(), kvs.stats("sorted")
    assert everyone["ListFragments"]["requests"] == 2
    assert everyone["ListFragments"]["errors"] == 1
    assert mine["ListFragments"]["requests"] == 1
    assert mine["ListFragments"]["fragments"] == 11
    media = mine["GetMediaForFragmentList"]
    assert (media["ok"], media["fragments"], media["bytes"]) == (
        1, 3, len(body))
    assert media["active"] == 0 and media["most_active"] == 1
    log = kvs.requests()
    assert [r["api"] for r in log] == ["ListFragments", "ListFragments",
                                      "GetMediaForFragmentList"]
    assert [r["error"] for r in log] == [None, "ResourceNotFoundException",
                                         None]
    assert json.loads(log[2]["body"])["Fragments"] == numbers
    assert kvs.requests(stream="sorted", last=1) == log[2:]


def test_data_endpoint_of_its_own(tmp_path):
    with kvs_server.Server(tmp_path, args=["--data-port", "0"]) as kvs:
        archive = kvs.archive("lobby")
        assert archive.meta.endpoint_url != kvs.url
        now = datetime.datetime.now(UTC)
        chosen = selector(now - datetime.timedelta(minutes=1), now)
        assert archive.list_fragments(
            StreamName="lobby", FragmentSelector=chosen)["Fragments"]
        with pytest.raises(botocore.exceptions.ClientError) as e:
            kvs.archive().list_fragments(StreamName="lobby",
                                         FragmentSelector=chosen)
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("config, why", [
    ({"streams": [{"name": "x", "clip": "front-door.mkv", "sart": "-1h"}]},
     '"sart" is not an option'),
    ({"streams": [{"name": "x"}]}, "needs a clip"),
    ({"streams": [{"name": "x", "clip": "none.mkv"}]}, "No such file"),
    ({"streams": [{"name": "x", "clip": "front-door.mkv",
                   "media": {"cluster_size": "huge"}}]}, "words allowed"),
    ({}, 'no "streams"'),
])
def test_bad_configuration(tmp_path, capfd, config, why):
    with pytest.raises(RuntimeError):
        kvs_server.Server(tmp_path, config=config)
    assert why in capfd.readouterr().err
