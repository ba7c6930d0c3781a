#!/usr/bin/env python3
"""Connects to the unix socket argv[1] as often as it can until it gets SIGTERM; the last 100 connections are kept.
Prints how many there were and how many of them the other side has not closed: "connected N, open M"."""
import collections
import os
import signal
import socket
import sys

ended = False


def end(number, frame):
    global ended
    ended = True


signal.signal(signal.SIGTERM, end)
os.chdir(os.path.dirname(sys.argv[1]))
name = os.path.basename(sys.argv[1])
kept = collections.deque(maxlen=100)
connected = 0
while not ended:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(1)
    try:
        one.connect(name)
    except OSError:
        continue
    connected += 1
    kept.append(one)

still = 0
for one in kept:
    try:
        still += 1 if one.recv(1) else 0
    except ConnectionError:
        pass
    except OSError:
        still += 1
print("connected %d, open %d" % (connected, still))
