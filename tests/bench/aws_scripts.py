#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What one writes with boto3 in place of a filesystem.

aws_scripts.py batches|single STREAM FROM TO FOLDER [COUNT]

batches: as the samples of AWS do it: list, sort, one connection, a thousand
fragments per call, one file per call.  single: one call and one file per
fragment, five calls a second.  FROM and TO are epoch seconds; COUNT: no more
fragments than that.  Prints the seconds of listing, the seconds of all calls
for media, and the number of fragments; imports are excluded.
"""
import os
import pathlib
import sys
import time

import boto3

BATCH = 1000
CALLS_PER_S = 5


def client(stream, api):
    url = os.environ["AWS_ENDPOINT_URL"]
    region = os.environ["AWS_REGION"]
    video = boto3.client("kinesisvideo", endpoint_url=url, region_name=region)
    endpoint = video.get_data_endpoint(StreamName=stream, APIName=api)
    return boto3.client("kinesis-video-archived-media", region_name=region,
                        endpoint_url=endpoint["DataEndpoint"])


def list_numbers(stream, start, end):
    pages = client(stream, "LIST_FRAGMENTS").get_paginator("list_fragments")
    found = []
    for page in pages.paginate(
            StreamName=stream, PaginationConfig={"PageSize": 1000},
            FragmentSelector={
                "FragmentSelectorType": "PRODUCER_TIMESTAMP",
                "TimestampRange": {"StartTimestamp": start,
                                   "EndTimestamp": end}}):
        found += page["Fragments"]
    found.sort(key=lambda f: f["ProducerTimestamp"])
    return [f["FragmentNumber"] for f in found]


def download(media, stream, numbers, path):
    answer = media.get_media_for_fragment_list(StreamName=stream,
                                               Fragments=numbers)
    with open(path, "wb") as out:
        for block in answer["Payload"].iter_chunks(1 << 20):
            out.write(block)


def main():
    how, stream = sys.argv[1:3]
    start, end = map(float, sys.argv[3:5])
    folder = pathlib.Path(sys.argv[5])
    folder.mkdir(parents=True)
    began = time.monotonic()
    numbers = list_numbers(stream, start, end)
    if len(sys.argv) > 6:
        numbers = numbers[:int(sys.argv[6])]
    listed = time.monotonic()
    media = client(stream, "GET_MEDIA_FOR_FRAGMENT_LIST")
    step = BATCH if how == "batches" else 1
    first_call = time.monotonic()
    for i in range(0, len(numbers), step):
        if how == "single":
            due = first_call + i / CALLS_PER_S
            time.sleep(max(0, due - time.monotonic()))
        download(media, stream, numbers[i:i + step],
                 folder / f"{i:06}.mkv")
    if how == "single":  # the last one's share of the second
        due = first_call + len(numbers) / CALLS_PER_S
        time.sleep(max(0, due - time.monotonic()))
    print(listed - began, time.monotonic() - listed, len(numbers))


if __name__ == "__main__":
    main()
