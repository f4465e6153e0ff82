# SPDX-License-Identifier: MIT
"""A folder over HTTP, as the peers that mount one expect it: listings with
links, HEAD, ranges, connections kept.

    with serving(folder) as url: ...
"""
import contextlib
import html
import http.server
import os
import pathlib
import re
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = pathlib.Path("/")

    def log_message(self, *ignored):
        """Nothing is logged."""

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, with_body):
        name = urllib.parse.unquote(self.path.split("?")[0]).strip("/")
        path = self.root / name
        if ".." in name.split("/") or not path.exists():
            self.send_error(404)
        elif path.is_dir():
            self.send_listing(path, with_body)
        else:
            self.send_file(path, with_body)

    def send_listing(self, path, with_body):
        names = sorted(p.name + "/" * p.is_dir() for p in path.iterdir())
        links = "".join(f'<a href="{urllib.parse.quote(name)}">'
                        f"{html.escape(name)}</a><br>\n" for name in names)
        body = f"<html><body>\n{links}</body></html>\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def send_file(self, path, with_body):
        size = path.stat().st_size
        start, end = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)",
                             self.headers.get("Range", ""))
        if asked:
            start = min(int(asked[1]), size)
            end = min(int(asked[2]) + 1, size) if asked[2] else size
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "video/x-matroska")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Last-Modified",
                         self.date_time_string(int(path.stat().st_mtime)))
        if asked:
            self.send_header("Content-Range",
                             f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        if not with_body:
            return
        self.wfile.flush()
        with open(path, "rb") as f:
            while start < end:
                sent = os.sendfile(self.connection.fileno(), f.fileno(),
                                   start, end - start)
                if not sent:
                    break
                start += sent


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *ignored):
        """A peer that hangs up is no error."""


@contextlib.contextmanager
def serving(folder):
    handler = type("Here", (Handler,), {"root": pathlib.Path(folder)})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
