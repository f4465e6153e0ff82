# SPDX-License-Identifier: MIT
"""Those who hand out credentials, on this machine: the EC2 instance metadata
service, a container's endpoint, STS, IAM Identity Center.

    with FakeSts(Keys("STS", 3600)) as sts:
        ... sts.url, sts.requests ...
        sts.mode = "AccessDenied"
"""
import collections
import datetime
import email.utils
import hashlib
import http.server
import json
import random
import string
import threading
import time
import urllib.parse

Request = collections.namedtuple("Request", "method path headers body")
Key = collections.namedtuple("Key", "id secret token expires")

SECRET = string.ascii_letters + string.digits + "/+"


class Keys:
    """Makes credentials that live for so long, and remembers each."""

    def __init__(self, prefix, lifetime_s=3600, on_new=None):
        self.prefix = prefix
        self.lifetime_s = lifetime_s
        self.on_new = on_new
        self.given = []
        self.rng = random.Random(prefix)
        self.lock = threading.Lock()

    def now(self):
        with self.lock:
            n = len(self.given)
            key = Key(f"ASIA{self.prefix}{n:04d}",
                      "".join(self.rng.choices(SECRET, k=40)),
                      "".join(self.rng.choices(SECRET, k=400)),
                      int(time.time()) + self.lifetime_s)
            self.given.append(key)
        if self.on_new:
            self.on_new(key)
        return key


def iso(seconds):
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Fake:
    """mode: what it does next ("ok", "hang", "not-json", ...); a dictionary of
    path beginnings to modes makes it differ."""

    def __init__(self, keys=None):
        self.keys = keys or Keys(type(self).__name__[4:].upper())
        self.mode = "ok"
        self.requests = []
        self.closing = threading.Event()
        self.date_offset_s = 0
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + fake.date_offset_s,
                                              usegmt=True)

            def log_message(self, *ignored):
                pass

            def serve(self):
                n = int(self.headers.get("Content-Length") or 0)
                r = Request(self.command, self.path,
                            {k.lower(): v for k, v in self.headers.items()},
                            self.rfile.read(n))
                fake.requests.append(r)
                status, kind, body = fake.answer(r)
                body = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *ignored):
                pass  # a client that hangs up

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def mode_of(self, path):
        if isinstance(self.mode, str):
            return self.mode
        fits = [p for p in self.mode if path.startswith(p)]
        return self.mode[max(fits, key=len)] if fits else "ok"

    def answer(self, r):
        mode = self.mode_of(r.path)
        if mode == "hang":
            self.closing.wait()
        elif mode.startswith("slow-"):
            self.closing.wait(float(mode[5:]))
        elif mode == "not-json":
            return 200, "text/html", "<html>a captive portal"
        elif mode == "huge":
            return 200, "application/json", "[" + " " * (8 << 20) + "]"
        elif mode.isdigit():
            return int(mode), "application/json", json.dumps(
                {"code": "Refused", "message": f"as told: {mode}"})
        elif mode.endswith("-once"):
            self.mode = "ok"
            return int(mode[:-5]), "text/plain", "once"
        return self.ok(r, mode)

    def metadata(self, mode):
        key = self.keys.now()
        found = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key.id,
                 "SecretAccessKey": key.secret, "Token": key.token,
                 "Expiration": iso(key.expires), "LastUpdated": iso(0)}
        if mode == "missing-field":
            del found["SecretAccessKey"]
        if mode == "expired":
            found["Expiration"] = "2020-01-01T00:00:00Z"
        return 200, "application/json", json.dumps(found)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class FakeImds(Fake):
    """v1: requests without a token are answered."""
    TOKEN = "/latest/api/token"
    ROLES = "/latest/meta-data/iam/security-credentials/"
    v1 = False
    region = "eu-north-1"

    def environment(self):
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
                "AWS_EC2_METADATA_DISABLED": "false"}

    def ok(self, r, mode):
        if r.path == self.TOKEN:
            asked = "x-aws-ec2-metadata-token-ttl-seconds" in r.headers
            if r.method == "PUT" and asked:
                return 200, "text/plain", "the-token=="
            return 400, "text/plain", ""
        if r.headers.get("x-aws-ec2-metadata-token") != "the-token==" and \
                not self.v1:
            return 401, "text/plain", "Unauthorized"
        if r.path == self.ROLES:
            return (404, "text/plain", "") if mode == "no-role" else \
                (200, "text/plain", "the-role")
        if r.path == self.ROLES + "the-role":
            if mode == "error-json":
                return 200, "application/json", json.dumps(
                    {"Code": "AssumeRoleUnauthorizedAccess",
                     "Message": "EC2 cannot assume the role the-role."})
            return self.metadata(mode)
        if r.path == "/latest/meta-data/placement/region":
            return 200, "text/plain", self.region
        if r.path.startswith("/latest/meta-data/placement/availability-zone"):
            return 200, "text/plain", self.region + "a"
        return 404, "text/plain", ""


class FakeContainer(Fake):
    """authorization: what it wants to see, or None."""
    authorization = None

    def environment(self):
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + "/creds"}

    def ok(self, r, mode):
        if self.authorization not in (None, r.headers.get("authorization")):
            return 403, "application/json", json.dumps(
                {"code": "AccessDenied", "message": "a wrong token"})
        return self.metadata(mode)


class FakeSts(Fake):
    """An error is its mode: "AccessDenied".  web_tokens: the web identity
    tokens that are good now, or None: any."""
    web_tokens = None
    NS = "https://sts.amazonaws.com/doc/2011-06-15/"
    STATUS = {"ExpiredTokenException": 400, "InvalidIdentityToken": 400,
              "Throttling": 400}

    def environment(self):
        return {"AWS_ENDPOINT_URL_STS": self.url}

    def calls(self):
        """[(action, role, session name, external id, duration, key id)]"""
        found = []
        for r in self.requests:
            f = dict(urllib.parse.parse_qsl(r.body.decode()))
            claim = r.headers.get("authorization", "Credential=/")
            found.append((f["Action"], f["RoleArn"], f["RoleSessionName"],
                          f.get("ExternalId"), f.get("DurationSeconds"),
                          claim.split("Credential=")[1].split("/")[0]))
        return found

    def ok(self, r, mode):
        form = dict(urllib.parse.parse_qsl(r.body.decode()))
        if mode == "truncated":
            return 200, "text/xml", f'<AssumeRoleResponse xmlns="{self.NS}"><A'
        if mode == "skewed":
            stamp = r.headers["x-amz-date"]
            signed = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
            now = datetime.datetime.utcfromtimestamp(time.time() +
                                                     self.date_offset_s)
            if abs((now - signed).total_seconds()) > 300:
                return self.error("SignatureDoesNotMatch",
                                  f"Signature expired: {stamp} is now "
                                  "earlier than what it may be")
        elif mode[0].isupper():
            return self.error(mode, f"{mode} & <what> it means")
        token = form.get("WebIdentityToken")
        if token and self.web_tokens and token not in self.web_tokens:
            return self.error("InvalidIdentityToken", "an old one")
        key = self.keys.now()
        action = form["Action"]
        return 200, "text/xml", (
            f'<{action}Response xmlns="{self.NS}"><{action}Result>'
            f"<AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{key.id}</AccessKeyId>"
            f"<SecretAccessKey>{key.secret}</SecretAccessKey>"
            f"<SessionToken>{key.token}</SessionToken>"
            f"<Expiration>{iso(key.expires)}</Expiration></Credentials>"
            f"</{action}Result><ResponseMetadata><RequestId>req-sts"
            f"</RequestId></ResponseMetadata></{action}Response>")

    def error(self, code, message):
        message = message.replace("&", "&amp;").replace("<", "&lt;")
        return self.STATUS.get(code, 403), "text/xml", (
            f'<ErrorResponse xmlns="{self.NS}"><Error><Type>Sender</Type>'
            f"<Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>req-sts</RequestId></ErrorResponse>")


class FakeSso(Fake):
    """The portal and OIDC.  token: the one that is good; refresh: likewise."""
    token, refresh = "good-token", "good-refresh"
    expires_in_s = 3600

    def environment(self):
        return {"AWS_ENDPOINT_URL_SSO": self.url,
                "AWS_ENDPOINT_URL_SSO_OIDC": self.url}

    def ok(self, r, mode):
        if r.path == "/token":
            return self.renew(json.loads(r.body))
        if r.headers.get("x-amz-sso_bearer_token") != self.token:
            return 401, "application/json", json.dumps(
                {"__type": "UnauthorizedException",
                 "message": "Session token not found or invalid"})
        key = self.keys.now()
        return 200, "application/json", json.dumps({"roleCredentials": {
            "accessKeyId": key.id, "secretAccessKey": key.secret,
            "sessionToken": key.token, "expiration": key.expires * 1000}})

    def renew(self, asked):
        if asked.get("refreshToken") != self.refresh:
            return 400, "application/json", json.dumps(
                {"error": "invalid_grant", "error_description": "used up"})
        self.token, self.refresh = self.token + "+", self.refresh + "+"
        return 200, "application/json", json.dumps(
            {"accessToken": self.token, "refreshToken": self.refresh,
             "tokenType": "Bearer", "expiresIn": self.expires_in_s})


def sso_token_path(home, name):
    """name: of the session, or the start URL."""
    digest = hashlib.sha1(name.encode()).hexdigest()
    return home / ".aws" / "sso" / "cache" / f"{digest}.json"


def write_sso_token(home, name, *, token=FakeSso.token, lives_s=7200,
                    refresh=None):
    """As `aws sso login` leaves it."""
    path = sso_token_path(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"startUrl": "https://u", "region": "eu-west-1",
             "accessToken": token, "expiresAt": iso(time.time() + lives_s)}
    if refresh:
        found.update(refreshToken=refresh, clientId="the-client",
                     clientSecret="the-client-secret",
                     registrationExpiresAt=iso(time.time() + 86400))
    path.write_text(json.dumps(found))
    return path
