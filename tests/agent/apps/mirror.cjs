'use strict';

// Says what an app can see of the agent, and what its threads and children see.

const look = () => ({
  env: Object.keys(process.env).filter((name) => /NODE_|SLC/.test(name)).sort(),
  globals: Object.getOwnPropertyNames(globalThis).length,
  listeners: process.eventNames()
    .filter((name) => name !== 'internalMessage')
    .map((name) => `${String(name)} ${process.listenerCount(name)}`),
  active: /setupListenHandle/.test(String(require('net').Server.prototype._listen2)) ? 'no' : 'yes',
});

const { isMainThread, parentPort, Worker } = require('worker_threads');
if (!isMainThread) {
  parentPort.postMessage(look());
} else if (process.env.MIRROR === 'thread') {
  new Worker(__filename).on('message', (seen) => process.send(seen));
} else if (process.env.MIRROR === 'fork') { // inherits process.execArgv, so --require too
  const child = require('child_process').fork(__filename, { env: { ...process.env, MIRROR: 'print' }, silent: true });
  const out = [];
  child.stdout.on('data', (data) => out.push(data));
  child.on('internalMessage', (message) => out.push(`internal ${JSON.stringify(message)}`));
  child.on('close', (code) => process.send({ code, out: out.join('') }));
} else if (process.env.MIRROR === 'print') {
  console.log(JSON.stringify(look()));
} else {
  process.send(look());
}
