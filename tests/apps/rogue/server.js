// A sound server; but the worker of slot ROGUE_SLOT (from 0) serves nobody and, as soon as the file
// ROGUE_ORDER names a misdeed, does with its channel what no one asks of it.
'use strict';

const fs = require('fs');
const http = require('http');

const CHANNEL = Number(process.env.ROGUE_CHANNEL || 3);
const port = Number(process.env.PORT);
console.error('up'); // so that err.log is open before descriptors are counted

const misdeeds = {
  garbage: () => { for (let i = 0; i < 100; i += 1) fs.writeSync(CHANNEL, `no message ${i}\n`); },
  cut: () => { for (let i = 0; i < 20; i += 1) { fs.writeSync(CHANNEL, '{"cmd":'); process.send({ i }); } },
  large: () => process.send('x'.repeat(100 << 20)),
  deep: () => { for (let i = 0; i < 50; i += 1) fs.writeSync(CHANNEL, `${'['.repeat(5000)}${']'.repeat(5000)}\n`); },
  leaves: () => process.send({ cmd: 'NODE_CLUSTER', act: 'exitedAfterDisconnect', seq: 1 }),
  // As node's cluster has it, that would be the end of the process.
  disconnects: () => { process.removeAllListeners('disconnect'); process.disconnect(); },
  listens: () => { for (let i = 0; i < 3000; i += 1) process.send({ cmd: 'NODE_CLUSTER', act: 'listening', port: i }); },
};

function order() {
  try {
    return fs.readFileSync(process.env.ROGUE_ORDER, 'utf8').trim();
  } catch {
    return '';
  }
}

if (process.env.NODE_APP_INSTANCE === process.env.ROGUE_SLOT && process.env.ROGUE_ORDER) {
  const timer = setInterval(() => {
    const misdeed = misdeeds[order()];
    if (!misdeed) return;
    clearInterval(timer);
    setInterval(() => {}, 1000);
    misdeed();
  }, 10);
} else {
  http.createServer((request, response) => {
    response.setHeader('x-worker', String(process.pid));
    response.end('sound');
  }).listen(port);
}
