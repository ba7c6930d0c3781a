// Forks a child with a channel of its own and asks it what it sees: nothing of the worker's channel and
// cluster membership may leak into it. Answers {"pid", "child": {...}}.
'use strict';

const childProcess = require('child_process');
const cluster = require('cluster');
const http = require('http');

if (process.argv[2] === 'child') {
  const names = Object.keys(process.env).filter((name) => name.startsWith('NODE_'));
  process.send({ pid: process.pid, isWorker: cluster.isWorker, names, execArgv: process.execArgv });
  process.disconnect();
} else {
  let child = null;
  childProcess.fork(__filename, ['child']).on('message', (message) => {
    child = message;
  });
  http
    .createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ pid: process.pid, child }));
    })
    .listen(process.env.PORT || 3000);
}
