// Listens on PORT twice in one worker: the second listen() must fail with EADDRINUSE and the first go on.
// Answers {"pid", "second": CODE}.
'use strict';

const http = require('http');

const port = process.env.PORT || 3000;
let second = 'pending';

http
  .createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ pid: process.pid, second }));
  })
  .listen(port, () => {
    http
      .createServer()
      .on('error', (error) => {
        second = error.code;
      })
      .listen(port, () => {
        second = 'listening';
      });
  });
