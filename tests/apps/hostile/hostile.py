#!/usr/bin/env python3
"""Tries as this user whatever a stranger might do to the processes and folders of somebody else's slc.

HOSTILE_PIDS: pids, HOSTILE_FOLDERS: folders, HOSTILE_FILES: files and sockets, each separated by blanks.
Prints "attempts N" and a line for each deed that succeeded, then "done". As a worker (with
HOSTILE_REPORT, a file to write that to) it stays alive afterwards.
"""
import ctypes
import os
import signal
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD, SYS_PIDFD_SEND_SIGNAL = 434, 438, 424
SYS_PROCESS_VM_READV, SYS_KCMP, SYS_PROCESS_MADVISE = 310, 312, 440

report = []
attempts = 0


def attempt(what, deed):
    global attempts
    attempts += 1
    try:
        deed()
    except OSError:
        return
    report.append("succeeded: " + what)


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def read(path):
    with open(path, "rb") as file:
        file.read(64)


def write(path, text="1"):
    with open(path, "r+") as file:
        file.write(text)


def connect(path, kind):
    with socket.socket(socket.AF_UNIX, kind) as one:
        one.settimeout(2)
        one.connect(path)


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
        call(libc.syscall, SYS_PIDFD_SEND_SIGNAL, process, signal.SIGKILL, None, 0)
    finally:
        os.close(process)


def peek(pid):
    with open("/proc/%d/maps" % pid) as maps:
        start = int(maps.readline().split("-")[0], 16)
    os.lseek(os.open("/proc/%d/mem" % pid, os.O_RDONLY), start, os.SEEK_SET)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    ours = Vector(ctypes.addressof(buffer), 8)
    for address in (0x400000, 0x10000):
        theirs = Vector(address, 8)
        call(libc.syscall, SYS_PROCESS_VM_READV, pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)


for pid in map(int, os.environ.get("HOSTILE_PIDS", "").split()):
    if pid == os.getpid():
        continue
    base = "/proc/%d/" % pid
    for name in ("environ", "maps", "mem", "auxv", "stack", "syscall", "io", "pagemap", "smaps_rollup"):
        attempt("read %s of %d" % (name, pid), lambda: read(base + name))
    for name in ("oom_score_adj", "coredump_filter", "clear_refs", "comm", "timerslack_ns"):
        attempt("write %s of %d" % (name, pid), lambda: write(base + name))
    for name in ("fd", "fdinfo", "map_files", "ns"):
        attempt("list %s of %d" % (name, pid),
                lambda: [os.readlink(base + name + "/" + entry) for entry in os.listdir(base + name)])
    for link in ("cwd", "exe", "root"):
        attempt("follow %s of %d" % (link, pid), lambda: os.readlink(base + link))
    for fd in range(3, 40):
        attempt("open fd %d of %d" % (fd, pid), lambda: os.open(base + "fd/%d" % fd, os.O_RDONLY))
        attempt("fetch fd %d of %d" % (fd, pid), lambda: fetch(pid, fd))
    attempt("memory of %d" % pid, lambda: peek(pid))
    attempt("process_vm_readv of %d" % pid, lambda: read_memory(pid))
    attempt("kcmp of %d" % pid, lambda: call(libc.syscall, SYS_KCMP, pid, os.getpid(), 2, 0, 0))
    attempt("ptrace of %d" % pid, lambda: call(libc.ptrace, PTRACE_ATTACH, pid, None, None))
    attempt("seize of %d" % pid, lambda: call(libc.ptrace, PTRACE_SEIZE, pid, None, None))
    for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGHUP, signal.SIGKILL):
        attempt("signal %d to %d" % (number, pid), lambda: os.kill(pid, number))
    attempt("signal by pidfd to %d" % pid, lambda: signal_by_pidfd(pid))
    attempt("signal to the group of %d" % pid, lambda: os.killpg(os.getpgid(pid), signal.SIGTERM))
    attempt("priority of %d" % pid, lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt("affinity of %d" % pid, lambda: os.sched_setaffinity(pid, {0}))
    attempt("scheduler of %d" % pid, lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))

for folder in os.environ.get("HOSTILE_FOLDERS", "").split():
    attempt("list " + folder, lambda: os.listdir(folder))
    attempt("enter " + folder, lambda: os.chdir(folder))
    attempt("chmod " + folder, lambda: os.chmod(folder, 0o777))
    attempt("rename " + folder, lambda: os.rename(folder, folder + "-taken"))
    for name in ("slcd.log", "slcd.log.1", "out.log", "err.log", "1.json", "1.json.tmp", "slcd.lock", "new"):
        path = folder + "/" + name
        attempt("symlink " + path, lambda: os.symlink("/etc/passwd", path))
        attempt("hardlink " + path, lambda: os.link("/etc/hostname", path))
        attempt("fifo " + path, lambda: os.mkfifo(path))
        attempt("file " + path, lambda: os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        attempt("remove " + path, lambda: os.unlink(path))

for path in os.environ.get("HOSTILE_FILES", "").split():
    attempt("read " + path, lambda: read(path))
    attempt("write " + path, lambda: write(path))
    attempt("truncate " + path, lambda: os.truncate(path, 0))
    attempt("link to " + path, lambda: os.link(path, "/tmp/hostile-%d" % os.getpid()))
    attempt("chmod " + path, lambda: os.chmod(path, 0o666))
    attempt("chown " + path, lambda: os.chown(path, os.getuid(), os.getgid()))
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        attempt("connect to " + path, lambda: connect(path, kind))

for number, what in ((0, "setuid"), (1, "setgid")):
    attempt(what, lambda: (os.setuid if number == 0 else os.setgid)(0))
attempt("setgroups", lambda: os.setgroups([0]))

text = "\n".join(["attempts %d" % attempts] + report + ["done"]) + "\n"
if "HOSTILE_REPORT" in os.environ:
    with open(os.environ["HOSTILE_REPORT"] + ".new", "w") as file:
        file.write(text)
    os.rename(os.environ["HOSTILE_REPORT"] + ".new", os.environ["HOSTILE_REPORT"])
    while True:
        time.sleep(1)
sys.stdout.write(text)
