"""HTTP in Python on PORT, or on an inherited socket as systemd hands it over (LISTEN_FDS).

Answers the pid; SIGTERM ends it with code 0. APP_REUSE_PORT=1: several may share the port.
"""

import http.server
import os
import signal
import socket
import sys

FIRST_INHERITED_FD = 3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def server_bind(self):
        if os.environ.get("APP_REUSE_PORT") == "1":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def inherited_socket():
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if int(os.environ.get("LISTEN_FDS", "0")) < 1:
        return None
    return socket.socket(fileno=FIRST_INHERITED_FD)


def make_server():
    inherited = inherited_socket()
    if inherited is None:
        return Server(("", int(os.environ.get("PORT", "3000"))), Handler)
    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = inherited
    return server


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    server = make_server()
    print(f"listening on {server.socket.getsockname()}", flush=True)
    server.serve_forever()


main()
