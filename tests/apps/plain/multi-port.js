// Four listeners: PORT, APP_PORT2 (PORT + 1), and port 0 twice, which are two different ports.
// Each answers {"pid", "ports": [...]} in that order.
'use strict';

const http = require('http');

const first = Number(process.env.PORT || 3000);
const wanted = [first, Number(process.env.APP_PORT2 || first + 1), 0, 0];

const servers = wanted.map((port) => {
  const server = http.createServer((request, response) => {
    const ports = servers.map((each) => each.address() && each.address().port);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ pid: process.pid, ports }));
  });
  return server.listen(port);
});
