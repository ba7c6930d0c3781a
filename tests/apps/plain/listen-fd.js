// Listens on the inherited descriptor APP_FD (3). In a cluster worker that number is the primary's.
'use strict';

const http = require('http');

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen({ fd: Number(process.env.APP_FD || 3) });
