// Serves first and says process.send('ready') 300 ms later.
'use strict';

const http = require('http');

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000, () => {
    setTimeout(() => process.send && process.send('ready'), 300);
  });
