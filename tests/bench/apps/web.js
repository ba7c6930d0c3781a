// The smallest web app: what it costs is what Node's http costs. /slow answers after 2 s.
//
// BENCH_DRAIN says what it does when it is asked to end (SIGINT, SIGTERM, the message 'shutdown'):
//   unset   nothing, as most apps
//   close   server.close(), then exit
//   soft    stops listening, but leaves idle connections to be closed by their next answer
'use strict';

const http = require('http');
const net = require('net');

const SLOW_MS = 2000;
const SOFT_MS = 500;

let leaving = false;

const server = http.createServer((request, response) => {
  response.setHeader('x-worker', process.pid);
  if (leaving) response.setHeader('connection', 'close');
  if (request.url === '/slow') setTimeout(() => response.end('slow\n'), SLOW_MS);
  else response.end('hello\n');
});

function leave() {
  if (leaving) return;
  leaving = true;
  if (process.env.BENCH_DRAIN === 'close') {
    server.close(() => process.exit(0));
    return;
  }
  net.Server.prototype.close.call(server, () => process.exit(0));
  setTimeout(() => server.closeIdleConnections(), SOFT_MS);
}

if (process.env.BENCH_DRAIN) {
  process.on('SIGINT', leave).on('SIGTERM', leave);
  process.on('message', (message) => message === 'shutdown' && leave());
}

server.listen(process.env.PORT || 3000);
