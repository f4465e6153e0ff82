# SPDX-License-Identifier: MIT
"""A socket that listens, and a thread for each who comes."""
import socket
import threading


class Listening:
    """serve(client) is run for each connection, until close()."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def close(self):
        self.listener.close()
