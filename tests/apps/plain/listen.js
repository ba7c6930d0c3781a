// listen() with the options in APP_LISTEN, a JSON object, over {"port": PORT}. Answers what it is bound to.
//
//   {"host": "127.0.0.1"}   {"host": "::1"}   {"host": "::", "ipv6Only": true}   {"backlog": 16}
//   {"host": "192.0.2.1"}   an address of nobody: EADDRNOTAVAIL
'use strict';

const http = require('http');

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ pid: process.pid, address: server.address() }));
});

server.listen({ port: Number(process.env.PORT || 3000), ...JSON.parse(process.env.APP_LISTEN || '{}') });
