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

// In KiB: what ps shows (rss), and what no other process shares, Private_Clean + Private_Dirty (uss).
function memoryKib(pid) {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  const kib = (name) => Number(new RegExp(`^${name}: *(\\d+)`, 'm').exec(rollup)[1]);
  return { rss: kib('Rss'), uss: kib('Private_Clean') + kib('Private_Dirty') };
}

// The most that was resident since the start or since forgetPeak.
const peakKib = (pid) => Number(/^VmHWM:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))[1]);
const forgetPeak = (pid) => fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');

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
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

// Living processes whose command line or environment holds `text`.
function processesWith(text, where = ['cmdline']) {
  const holds = (pid, file) => {
    try {
      return read(`/proc/${pid}/${file}`).includes(text);
    } catch {
      return false;
    }
  };
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => where.some((file) => holds(pid, file)))
    .map(Number)
    .filter(alive);
}

// Living processes that run `file`.
function processesOf(file) {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/exe`) === file;
      } catch {
        return false;
      }
    })
    .map(Number);
}

const commandLine = (pid) => read(`/proc/${pid}/cmdline`).split('\0');

// Established TCP connections to a local port that the process has open.
function connectionsOf(pid, port) {
  const own = new Set(
    fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ''; // closed meanwhile
      }
    }),
  );
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const ESTABLISHED = '01';
  return ['tcp', 'tcp6']
    .flatMap((table) => read(`/proc/${pid}/net/${table}`).split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter((entry) => entry[1] && entry[1].endsWith(local) && entry[3] === ESTABLISHED)
    .filter((entry) => own.has(`socket:[${entry[9]}]`)).length;
}

module.exports = {
  alive,
  childrenOf,
  commandLine,
  connectionsOf,
  contextSwitches,
  cpuMicros,
  forgetPeak,
  memoryKib,
  peakKib,
  processesOf,
  processesWith,
};
