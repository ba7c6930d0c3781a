// A timer, as a database pool holds one, keeps the process alive after its servers and channel are closed.
'use strict';

const http = require('http');

let ticks = 0;
setInterval(() => {
  ticks += 1;
}, 100);

http
  .createServer((request, response) => response.end(`${process.pid} ${ticks}\n`))
  .listen(process.env.PORT || 3000);
