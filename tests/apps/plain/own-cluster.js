// An application with a cluster of its own, as many are: under a manager it must find itself a worker and
// serve, alone it forks two workers.
'use strict';

const cluster = require('cluster');
const http = require('http');

if (cluster.isMaster) {
  console.log(`primary ${process.pid}`);
  cluster.fork();
  cluster.fork();
} else {
  http
    .createServer((request, response) => response.end(`${process.pid} ${cluster.worker.id}\n`))
    .listen(process.env.PORT || 3000);
}
