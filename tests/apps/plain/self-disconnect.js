// GET /disconnect: the worker leaves the cluster by itself. GET /kill: by worker.kill().
'use strict';

const cluster = require('cluster');
const http = require('http');

http
  .createServer((request, response) => {
    response.setHeader('connection', 'close');
    response.end(`${process.pid}\n`);
    if (request.url === '/disconnect') cluster.worker.disconnect();
    if (request.url === '/kill') cluster.worker.kill();
  })
  .listen(process.env.PORT || 3000);
