# SPDX-License-Identifier: MIT
"""Starts the local KVS, talks to it by boto3 and by its control calls.

    with Server() as kvs:
        kvs.archive("front-door").list_fragments(...)
        kvs.fault("throttle", api="ListFragments")

The program comes from $KVSFS_BUILD (default: build in the repository).
"""
import datetime
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIPS = ROOT / "tests" / "clips"
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"


def program():
    build = os.environ.get("KVSFS_BUILD", "build")
    return str((ROOT / build / "kvs-server").resolve())


def iso(when=None):
    when = when or datetime.datetime.now(datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


class ControlError(Exception):
    """A control call was refused; its text says why."""


class Server:
    """One server process.

    folder: where its configuration is kept.  clips: a folder of them; streams:
    a list of stream configurations, or config: a whole one, or its path.  By
    default each of tests/clips is a stream, and there clips are looked for.
    Quotas are off unless quotas=True.  args: more options of the command line.
    "-2h" is counted from the same instant (now) after a restart().
    """

    access_key = ACCESS_KEY
    secret_key = SECRET_KEY
    region = REGION

    def __init__(self, folder=None, *, clips=CLIPS, streams=None, config=None,
                 quotas=False, now=None, args=()):
        self.args = list(args)
        self.port = 0
        self.process = None
        self.now = now or iso()
        self.folder = folder
        self._made = None
        if not quotas:
            self.args.append("--no-quotas")
        if streams is not None:
            config = {"streams": streams}
        if isinstance(config, dict):
            config = self._write(config)
        if config is not None:
            self.args += ["--config", str(config)]
        else:
            self.args += ["--clips", str(clips)]
        self.start()

    def _write(self, config):
        config = json.loads(json.dumps(config))
        for stream in config.get("streams", []) + [config.get("defaults", {})]:
            later = stream.get("later") or []
            for one in [stream, *(o for o in later if isinstance(o, dict))]:
                if one.get("clip"):
                    one["clip"] = str(CLIPS / one["clip"])
        if self.folder is None:
            self._made = tempfile.TemporaryDirectory(prefix="kvs-server-")
            self.folder = self._made.name
        path = pathlib.Path(self.folder) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config))
        return path

    def start(self):
        """Starts it, on the port it had before if it was started before."""
        command = [program(), "--port", str(self.port), "--now", self.now]
        self.process = subprocess.Popen(command + self.args,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            code = self.process.wait()
            raise RuntimeError(f"kvs-server exited with {code}: {line!r}")
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def stop(self):
        """Ends it; the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        code = self.stop()
        if self._made:
            self._made.cleanup()
            self._made = None
        # A sanitizer's report, a leak included, is an exit status.
        if code:
            raise RuntimeError(f"kvs-server exited with {code}")

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def environment(self):
        """What a program needs to find it and to be let in."""
        return {"AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_REGION": self.region, "AWS_ENDPOINT_URL": self.url}

    # -- control calls ----------------------------------------------------

    def _open(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_control/{path}", data=data,
            method="GET" if body is None else "POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise ControlError(error.read().decode()) from None

    def control(self, call, **body):
        """POST /_control/CALL; the answer."""
        return json.loads(self._open(call, body))

    def ask(self, call, **query):
        """GET /_control/CALL?...; the answer."""
        query = {k: v for k, v in query.items() if v is not None}
        tail = "?" + urllib.parse.urlencode(query) if query else ""
        return json.loads(self._open(call + tail))

    def fault(self, kind, **options):
        """One of the faults of tests/kvs-server/README.md; its id."""
        return self.control("faults", kind=kind, **options)["id"]

    def clear_faults(self):
        self.control("faults/clear")

    def release(self):
        """Lets stalled bodies go on."""
        self.control("release")

    def stats(self, stream=None):
        """Counters by API, of a stream or of all."""
        answer = self.ask("stats")
        return answer["streams"][stream] if stream else answer["apis"]

    def requests(self, api=None, stream=None, last=None):
        """The last requests, oldest first; "body" is what was sent."""
        return self.ask("requests", api=api, stream=stream, last=last)

    def count(self, api, stream=None):
        return self.stats(stream)[api]["requests"]

    def reset(self):
        self.control("reset")

    def fragments(self, stream, start=None, end=None, axis=None, limit=None):
        """What is there, by producer time; ISO, "-2h" or epoch ms."""
        return self.ask("fragments", stream=stream, start=start, end=end,
                        axis=axis, limit=limit)["fragments"]

    def media(self, stream, number):
        """A fragment's document, byte for byte as the API sends it."""
        query = urllib.parse.urlencode({"stream": stream, "number": number})
        return self._open(f"media?{query}")

    def add(self, stream, *fragments):
        """Adds fragments: {"producer": ..., "server": ...}; what became."""
        return self.control("fragments", stream=stream,
                            fragments=list(fragments))["fragments"]

    def latency(self, ms):
        self.control("latency", ms=ms)

    def clock(self, **how):
        """now=, advance_ms=, freeze=; what it shows then, epoch ms."""
        call = self.control("clock", **how) if how else self.ask("clock")
        return call["now_ms"]

    # -- boto3 -----------------------------------------------------------------

    def client(self, service, url=None, access_key=ACCESS_KEY,
               secret_key=SECRET_KEY, token=None, region=REGION):
        import boto3
        import botocore.config

        return boto3.client(
            service, endpoint_url=url or self.url, region_name=region,
            aws_access_key_id=access_key, aws_secret_access_key=secret_key,
            aws_session_token=token,
            config=botocore.config.Config(retries={"total_max_attempts": 1},
                                          connect_timeout=5, read_timeout=30))

    def video(self, **options):
        """A boto3 client of the control plane."""
        return self.client("kinesisvideo", **options)

    def archive(self, stream=None, **options):
        """A boto3 client of the data plane, by way of GetDataEndpoint."""
        url = None
        if stream:
            url = self.video(**options).get_data_endpoint(
                StreamName=stream, APIName="LIST_FRAGMENTS")["DataEndpoint"]
        return self.client("kinesis-video-archived-media", url=url, **options)

    def post(self, path, body, sign=True, headers=None):
        """A call that boto3's models need not know: status, headers, text."""
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials

        request = botocore.awsrequest.AWSRequest(
            "POST", f"{self.url}/{path}", data=json.dumps(body),
            headers={"Content-Type": "application/json", **(headers or {})})
        keys = botocore.credentials.Credentials(ACCESS_KEY, SECRET_KEY)
        if sign:
            botocore.auth.SigV4Auth(keys, "kinesisvideo",
                                    REGION).add_auth(request)
        raw = urllib.request.Request(request.url, data=request.body,
                                     headers=dict(request.headers))
        try:
            with urllib.request.urlopen(raw, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()
