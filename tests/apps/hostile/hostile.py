#!/usr/bin/env python3
"""Tries as this user whatever a stranger might do to the processes and folders of somebody else's slc.

HOSTILE_PIDS: pids, HOSTILE_FOLDERS: folders, HOSTILE_FILES: files and sockets, each separated by blanks.
HOSTILE_PLACE: a folder where anyone may write, on the same file system.
Prints "attempts N" and a line for each deed that succeeded, then "done". With HOSTILE_CONTROL=1, to be run as
somebody who may do all of it, a line for each kind of deed that never succeeded instead: what cannot succeed proves
nothing. As a worker (with HOSTILE_REPORT, a file to write the report to) it stays alive afterwards.
"""
import ctypes
import os
import signal
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 16, 17, 0x4206, 0x4207
WALL = 0x40000000
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_PIDFD_SEND_SIGNAL = 434, 438, 424
SYS_KCMP = 312

report = []
attempts = 0
kinds = {}  # whether one of that kind has succeeded


def attempt(kind, target, deed):
    global attempts
    attempts += 1
    kinds.setdefault(kind, False)
    try:
        deed()
    except OSError:
        return
    kinds[kind] = True
    report.append("succeeded: %s %s" % (kind, target))


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def read(path):
    with open(path, "rb", buffering=0) as file:
        file.read(64)


def write(path, text=b"1"):
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text)
    finally:
        os.close(file)


# A path of any length: sun_path holds 108 bytes.
def connect(path, kind):
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(os.path.dirname(path))
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.settimeout(2)
            one.connect(os.path.basename(path))
    finally:
        os.fchdir(before)
        os.close(before)


def fetch(pid, fd):
    process = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    if process < 0:
        raise OSError(ctypes.get_errno(), "refused")
    try:
        call(libc.syscall, SYS_PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)


def signal_by_pidfd(pid):
    process = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
    try:
        call(libc.syscall, SYS_PIDFD_SEND_SIGNAL, process, signal.SIGCONT, None, 0)
    finally:
        os.close(process)


def first_address(pid):
    with open("/proc/%d/maps" % pid) as maps:
        return int(maps.readline().split("-")[0], 16)


def peek(pid):
    start = first_address(pid)
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    try:
        os.pread(memory, 8, start)
    finally:
        os.close(memory)


def trace(pid, how):
    call(libc.ptrace, how, pid, None, None)
    if how == PTRACE_SEIZE:
        call(libc.ptrace, PTRACE_INTERRUPT, pid, None, None)
    os.waitpid(pid, WALL)
    call(libc.ptrace, PTRACE_DETACH, pid, None, None)


def rename_and_back(path):
    os.rename(path, path + "-taken")
    os.rename(path + "-taken", path)


def plant(path, deed):
    deed()
    os.unlink(path)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read_memory(pid):
    try:
        address = first_address(pid)
    except OSError:
        address = 0x400000  # as good as any: whether there is something is asked after who asks
    buffer = ctypes.create_string_buffer(8)
    ours = Vector(ctypes.addressof(buffer), 8)
    theirs = Vector(address, 8)
    call(libc.process_vm_readv, pid, ctypes.byref(ours), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1),
         ctypes.c_ulong(0))


place = os.environ.get("HOSTILE_PLACE", "/tmp")
# Of ours, to be linked to from where theirs is expected.
own = "%s/own-%d" % (place, os.getpid())
os.close(os.open(own, os.O_CREAT | os.O_WRONLY, 0o600))
files = os.environ.get("HOSTILE_FILES", "").split()
for path in files:
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        attempt("connect to " + os.path.basename(path) if path.endswith(".sock") else "connect to a file",
                path, lambda: connect(path, kind))
for path in files:
    attempt("read file", path, lambda: read(path))
    attempt("link to", path, lambda: os.link(path, "%s/hostile-%d" % (place, attempts)))
    attempt("chmod file", path, lambda: os.chmod(path, 0o666))
    attempt("chown", path, lambda: os.chown(path, os.getuid(), os.getgid()))
    attempt("write file", path, lambda: write(path))
    attempt("truncate", path, lambda: os.truncate(path, 0))

for folder in os.environ.get("HOSTILE_FOLDERS", "").split():
    attempt("list", folder, lambda: os.listdir(folder))
    attempt("enter", folder, lambda: os.chdir(folder))
    attempt("chmod folder", folder, lambda: os.chmod(folder, 0o777))
    attempt("rename", folder, lambda: rename_and_back(folder))
    for name in ("slcd.log", "slcd.log.1", "out.log", "err.log", "1.json", "1.json.tmp", "slcd.lock", "new"):
        path = folder + "/" + name
        attempt("symlink", path, lambda: plant(path, lambda: os.symlink("/etc/passwd", path)))
        attempt("hardlink", path, lambda: plant(path, lambda: os.link(own, path)))
        attempt("fifo", path, lambda: plant(path, lambda: os.mkfifo(path)))
        attempt("make file", path, lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)))
        attempt("remove", path, lambda: os.unlink(path))

for pid in map(int, os.environ.get("HOSTILE_PIDS", "").split()):
    if pid == os.getpid():
        continue
    base = "/proc/%d/" % pid
    for name in ("environ", "maps", "auxv", "stack", "syscall", "io", "pagemap", "smaps_rollup"):
        attempt("read %s of" % name, pid, lambda: read(base + name))
    for name in ("oom_score_adj", "coredump_filter", "clear_refs", "timerslack_ns"):
        attempt("write %s of" % name, pid, lambda: write(base + name))
    for name in ("fd", "map_files", "ns"):
        attempt("list %s of" % name, pid,
                lambda: [os.readlink(base + name + "/" + entry) for entry in os.listdir(base + name)])
    attempt("list fdinfo of", pid, lambda: os.listdir(base + "fdinfo"))
    for link in ("cwd", "exe", "root"):
        attempt("follow %s of" % link, pid, lambda: os.readlink(base + link))
    for fd in range(3, 40):
        attempt("open a descriptor of", pid,
                lambda: os.close(os.open(base + "fd/%d" % fd, os.O_RDONLY | os.O_NONBLOCK)))
        attempt("fetch a descriptor of", pid, lambda: fetch(pid, fd))
    attempt("memory of", pid, lambda: peek(pid))
    attempt("process_vm_readv of", pid, lambda: read_memory(pid))
    attempt("kcmp of", pid, lambda: call(libc.syscall, SYS_KCMP, pid, os.getpid(), 2, 0, 0))
    attempt("ptrace of", pid, lambda: trace(pid, PTRACE_ATTACH))
    attempt("seize of", pid, lambda: trace(pid, PTRACE_SEIZE))
    attempt("priority of", pid, lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt("affinity of", pid, lambda: os.sched_setaffinity(pid, {0}))
    attempt("scheduler of", pid, lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
    attempt("signal by pidfd to", pid, lambda: signal_by_pidfd(pid))
    attempt("signal to the group of", pid, lambda: os.killpg(os.getpgid(pid), signal.SIGCONT))
    for number in (0, signal.SIGHUP, signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        attempt("signal %d to" % number, pid, lambda: os.kill(pid, number))

for number, what in ((0, "setuid"), (1, "setgid")):
    attempt(what, 0, lambda: (os.setuid if number == 0 else os.setgid)(0))
attempt("setgroups", 0, lambda: os.setgroups([0]))

if os.environ.get("HOSTILE_CONTROL") == "1":
    report = ["never: " + kind for kind, succeeded in kinds.items() if not succeeded and kind != "connect to a file"]

text = "\n".join(["attempts %d" % attempts] + report + ["done"]) + "\n"
if "HOSTILE_REPORT" in os.environ:
    with open(os.environ["HOSTILE_REPORT"] + ".new", "w") as file:
        file.write(text)
    os.rename(os.environ["HOSTILE_REPORT"] + ".new", os.environ["HOSTILE_REPORT"])
    while True:
        time.sleep(1)
sys.stdout.write(text)
