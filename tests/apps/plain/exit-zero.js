// Ends with code 0 without being asked: at once, or APP_LIVE_MS after it listens.
'use strict';

const http = require('http');

if (!process.env.APP_LIVE_MS) {
  console.log('nothing to do');
  process.exit(0);
}

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000, () => {
    setTimeout(() => process.exit(0), Number(process.env.APP_LIVE_MS));
  });
