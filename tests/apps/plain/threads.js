// Runs a thread, into which preloaded modules are loaded too. Answers {"pid", "thread": "alive"}.
'use strict';

const http = require('http');
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (isMainThread) {
  let thread = 'pending';
  new Worker(__filename).on('message', (message) => {
    thread = message;
  });
  http
    .createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ pid: process.pid, thread }));
    })
    .listen(process.env.PORT || 3000);
} else {
  parentPort.postMessage('alive');
  setInterval(() => {}, 60000);
}
