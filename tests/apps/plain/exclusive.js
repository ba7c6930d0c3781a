// The worker binds PORT itself: its manager gets no word of it. Only one worker can have the port.
'use strict';

const http = require('http');

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen({ port: Number(process.env.PORT || 3000), exclusive: true });
