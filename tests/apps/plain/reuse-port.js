// From Node 22.12 on each worker binds PORT itself with SO_REUSEPORT; before, the option means nothing.
'use strict';

const http = require('http');

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen({ port: Number(process.env.PORT || 3000), reusePort: true });
