# SPDX-License-Identifier: MIT
"""Calls for data go to the data host, all others to the control host: a server
with a port for each answers 403 to what comes to the wrong one."""
import botocore.exceptions
import pytest

import kvs_server

CONTROL = {"ListStreams", "DescribeStream", "GetDataEndpoint"}
DATA = {"ListFragments", "GetMediaForFragmentList"}


@pytest.fixture
def server(tmp_path):
    with kvs_server.Server(tmp_path / "kvs", args=["--data-port", "0"]) as kvs:
        kvs.data_url = kvs.archive("front-door").meta.endpoint_url
        kvs.reset()
        yield kvs


def read_one(folder):
    file = sorted((folder / "fragments").glob("*/*/*.mkv"))[0]
    assert len(file.read_bytes()) == file.stat().st_size


def asked(server):
    """The calls so far, each of which was answered."""
    log = server.requests()
    assert [r for r in log if r["status"] != 200] == []
    return {r["api"] for r in log}


def test_what_goes_astray_is_seen(server):
    with pytest.raises(botocore.exceptions.ClientError):
        server.client("kinesis-video-archived-media",
                      url=server.url).list_fragments(StreamName="lobby")
    with pytest.raises(botocore.exceptions.ClientError):
        server.client("kinesisvideo", url=server.data_url).list_streams()
    assert [(r["api"], r["status"]) for r in server.requests()] == [
        ("ListFragments", 403), ("ListStreams", 403)]


def test_each_call_has_its_host(server, mount):
    assert server.data_url != server.url
    read_one(mount("*").path / "front-door")
    assert asked(server) == CONTROL - {"DescribeStream"} | DATA
    server.reset()
    read_one(mount("lobby", name="one").path)
    assert asked(server) == CONTROL - {"ListStreams"} | DATA


def test_a_data_host_that_was_named(server, mount):
    """Then nobody is asked for one."""
    m = mount("lobby", env={
        "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA": server.data_url})
    read_one(m.path)
    assert asked(server) == {"DescribeStream"} | DATA


def test_a_data_host_that_is_the_wrong_one(server, mount):
    """It refuses; the control host is not tried in its stead."""
    m = mount("lobby", "--timeout=2", env={
        "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA": server.url})
    with pytest.raises(PermissionError):
        list((m.path / "fragments").iterdir())
    assert {(r["api"], r["status"]) for r in server.requests()} == {
        ("DescribeStream", 200), ("ListFragments", 403)}
