# SPDX-License-Identifier: MIT
"""TLS in front of a server that speaks plain HTTP, and what it sees of it.

    with TlsFront(kvs.url, folder) as front:
        ... front.url, front.certificate ...
        front.handshakes  # a Handshake each
"""
import collections
import socket
import ssl
import subprocess
import threading
import urllib.parse

import listening

Handshake = collections.namedtuple("Handshake", "resumed alpn")


def make_certificate(folder, name):
    """A self-signed certificate and its key, in one file each."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", key,
         "-out", certificate, "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    return certificate, key


class TlsFront:
    """Listens on a port of its own; url names it, certificate makes a client
    trust it."""

    def __init__(self, url, folder, *, name="localhost"):
        self.certificate, key = make_certificate(folder, name)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        # What a client would rather have, if it names it.
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        behind = urllib.parse.urlsplit(url)
        self.behind = (behind.hostname, behind.port)
        self.handshakes = []
        self.open = set()
        self.lock = threading.Lock()
        self.listening = listening.Listening(self._serve)
        self.url = f"https://localhost:{self.listening.port}"

    def environment(self):
        """In place of the server's own."""
        return {"AWS_ENDPOINT_URL": self.url,
                "AWS_ENDPOINT_URL_KINESIS_VIDEO_ARCHIVED_MEDIA": self.url,
                "AWS_CA_BUNDLE": str(self.certificate)}

    def _serve(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as tls:
                with self.lock:
                    self.open.add(tls)
                    self.handshakes.append(Handshake(
                        tls.session_reused, tls.selected_alpn_protocol()))
                self._pass(tls)
        except OSError:  # as a client does that hangs up
            pass

    def _pass(self, tls):
        with socket.create_connection(self.behind) as behind:
            back = threading.Thread(target=self._pass_back,
                                    args=(behind, tls), daemon=True)
            back.start()
            try:
                while data := tls.recv(65536):
                    behind.sendall(data)
            finally:
                with self.lock:
                    self.open.discard(tls)
                behind.shutdown(socket.SHUT_WR)
                back.join()

    @staticmethod
    def _pass_back(behind, tls):
        try:
            while data := behind.recv(65536):
                tls.sendall(data)
        except OSError:
            pass

    def hang_up(self):
        """On everybody; they have to connect again."""
        with self.lock:
            for tls in self.open:
                socket.socket.shutdown(tls, socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.listening.close()
        self.hang_up()
