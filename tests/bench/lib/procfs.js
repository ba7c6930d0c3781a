// What the kernel knows of a process.
'use strict';

const fs = require('fs');

const read = (file) => fs.readFileSync(file, 'utf8');
const threads = (pid) => fs.readdirSync(`/proc/${pid}/task`);

function alive(pid) {
  try {
    return read(`/proc/${pid}/stat`).replace(/^.*\) /s, '')[0] !== 'Z';
  } catch {
    return false;
  }
}

// CPU time in microseconds, user and system, of all threads. schedstat counts nanoseconds where utime and
// stime of /proc/PID/stat count ticks of 10 ms; threads that have ended are missing in both.
function cpuMicros(pid) {
  let nanos = 0;
  for (const thread of threads(pid)) {
    nanos += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]);
  }
  return nanos / 1000;
}

// KiB that no other process shares, Private_Clean + Private_Dirty.
function privateKib(pid) {
  const kib = (name) => Number(new RegExp(`^${name}: *(\\d+)`, 'm').exec(read(`/proc/${pid}/smaps_rollup`))[1]);
  return kib('Private_Clean') + kib('Private_Dirty');
}

// Context switches of all its threads: how often one went to sleep and was woken (voluntary), and how often the
// kernel took the CPU from it for somebody else, which says more about the machine than about the process.
function contextSwitches(pid) {
  const sum = { wakeUps: 0, preemptions: 0 };
  for (const thread of threads(pid)) {
    const status = read(`/proc/${pid}/task/${thread}/status`);
    const count = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)[1]);
    sum.wakeUps += count('voluntary_ctxt_switches');
    sum.preemptions += count('nonvoluntary_ctxt_switches');
  }
  return sum;
}

// The children of all its threads.
function childrenOf(pid) {
  return threads(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number));
}

// Established TCP connections to a local port that the process has open.
function connectionsOf(pid, port) {
  const own = new Set(fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  }));
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const ESTABLISHED = '01';
  return ['tcp', 'tcp6'].flatMap((table) => read(`/proc/${pid}/net/${table}`).split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter((entry) => entry[1] && entry[1].endsWith(local) && entry[3] === ESTABLISHED)
    .filter((entry) => own.has(`socket:[${entry[9]}]`)).length;
}

module.exports = { alive, childrenOf, connectionsOf, contextSwitches, cpuMicros, privateKib };
