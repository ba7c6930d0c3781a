"""A web server that says what it is asked to say by sd_notify(3).

Each argument is said when it starts. It serves on the socket it is given (descriptor 3), one
request after another, and answers with its pid:

  /say?READY=1     says that itself
  /child?READY=1   has a child process say it, which lives until the next request
  /leave           says STOPPING=1, accepts no more, and ends with exit code 0 on SIGUSR1
  /flood           says something new all the time, until it is killed
"""
import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import unquote

leaving = False
children = []  # (pid, what it waits for the end of)


def say(text):
    address = os.environ['NOTIFY_SOCKET']
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(text.encode(), '\0' + address[1:] if address[0] == '@' else address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        global leaving
        path, _, text = self.path.partition('?')
        while children:
            pid, leash = children.pop()
            os.close(leash)
            os.waitpid(pid, 0)
        if path == '/say':
            say(unquote(text))
        if path == '/child':
            wait, leash = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(leash)
                os.close(self.connection.fileno())
                say(unquote(text))
                os.read(wait, 1)
                os._exit(0)
            os.close(wait)
            children.append((child, leash))
        leaving = path == '/leave'
        body = b'%d' % os.getpid()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(body)
        if path == '/flood':
            self.connection.shutdown(socket.SHUT_RDWR)
            number = 0
            while True:
                number += 1
                say(f'STATUS=the {number}th')

    def log_message(self, format, *arguments):
        pass


signal.signal(signal.SIGUSR1, lambda number, frame: os._exit(0))
for argument in sys.argv[1:]:
    say(argument)
server = HTTPServer(('', 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
while not leaving:
    server.handle_request()
server.socket.close()
say('STOPPING=1')
while True:
    signal.pause()
