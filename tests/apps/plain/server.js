// The plainest server.
'use strict';

const http = require('http');

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000);
