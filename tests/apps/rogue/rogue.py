#!/usr/bin/env python3
"""Stands in for node (slc start --node): the worker of slot ROGUE_SLOT (from 0) is this program, with a
channel of its own; the others are the real node of ROGUE_NODE.

It comes up (for --ready alive) and waits until the file ROGUE_ORDER names one of the misdeeds below, which it
then commits. "none", or no file: it behaves.
"""
import json
import os
import random
import signal
import socket
import sys
import time

if os.environ.get("NODE_APP_INSTANCE") != os.environ["ROGUE_SLOT"]:
    os.execv(os.environ["ROGUE_NODE"], ["node"] + sys.argv[1:])

channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
channel.setblocking(True)
NULL = os.open("/dev/null", os.O_RDONLY)


def line(message):
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def cluster(**members):
    return line({"cmd": "NODE_CLUSTER", **members})


def query(number, address, port, kind=4):
    return cluster(act="queryServer", seq=number, index=number, address=address, port=port, addressType=kind)


def for_ever(deed):
    while True:
        deed()


def stay():
    for_ever(lambda: time.sleep(1))


def garbage():
    dice = random.Random(1)
    for_ever(lambda: channel.sendall(dice.randbytes(5000) + b"\n"))


def empty():
    for_ever(lambda: channel.sendall(b"\n" * 1000))


def long_line():
    for _ in range(100):
        channel.sendall(b"x" * (1 << 20))
    stay()


def long_text():
    for_ever(lambda: channel.sendall(b'"' + b"x" * (100 << 20) + b'"\n'))


def deep():
    for_ever(lambda: channel.sendall(b"[" * 500_000 + b"]" * 500_000 + b"\n"))


def deep_short():
    for_ever(lambda: channel.sendall(b'{"cmd":' * 8000 + b"\n"))


def wide():
    for_ever(lambda: channel.sendall(b"[" + b"0," * 32_000 + b"0]x\n"))


def answers():
    for number in range(1_000_000):
        channel.sendall(cluster(ack=number, accepted=number % 2 == 0) + line({"cmd": "NODE_HANDLE_NACK"}))
    stay()


def handles():
    for_ever(lambda: channel.sendall(b'{"cmd":"NODE_HANDLE","type":"net.Socket"}\n'))


def descriptors():
    for _ in range(1000):
        socket.send_fds(channel, [b'"x"\n'], [NULL] * 253)
    stay()


def announced():
    for _ in range(1000):
        socket.send_fds(channel, [b'{"cmd":"NODE_HANDLE","type":"net.Socket"}\n'], [NULL] * 253)
    stay()


def half_written():
    channel.shutdown(socket.SHUT_WR)
    stay()


def half_read():
    channel.sendall(query(1, None, int(os.environ["PORT"])))
    channel.shutdown(socket.SHUT_RD)
    stay()


def slow():
    for byte in b'{"cmd":"NODE_CLUSTER","act":"online"}' * 1000:
        channel.sendall(bytes([byte]))
        time.sleep(1)


def ports():
    for number in range(10_000):
        channel.sendall(query(number, "127.0.0.1", 0))
    stay()


def keys():
    for number in range(10_000):
        channel.sendall(query(number, "x" * 900 + str(number), number))
    stay()


def in_use():
    channel.sendall(b"".join(query(1, "127.0.0.1", int(os.environ["ROGUE_TAKEN"])) for _ in range(10_000)))
    stay()


def listening():
    for number in range(10_000):
        channel.sendall(
            cluster(act="listening", address="10.0.0.1", port=number, addressType=4)
            + line({"cmd": "NODE_SLC", "act": "listening", "address": "a" * 9000, "port": number}))
    stay()


def stays():
    channel.sendall(cluster(act="exitedAfterDisconnect", seq=1))
    stay()


def impostor():
    taken = ":%s:4" % os.environ["PORT"]
    for worker in range(10_000):
        channel.sendall(
            cluster(act="close", key=taken, id=worker, workerId=worker, pid=os.getppid())
            + cluster(act="disconnect") + cluster(act="newconn", key=taken) + cluster(act="suicide")
            + line({"cmd": "NODE_SLC", "act": "drain"}) + line({"cmd": "NODE_SLC", "act": "hello", "version": "9" * 9000}))
    stay()


def order():
    try:
        with open(os.environ["ROGUE_ORDER"]) as file:
            return file.read().strip() or "none"
    except FileNotFoundError:
        return "none"


# SIGPIPE ends whoever writes to a channel that was closed: as node, it is to be ended by its master.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
channel.sendall(cluster(act="online"))
while order() == "none":
    time.sleep(0.01)
try:
    globals()[order()]()
except OSError:
    stay()
