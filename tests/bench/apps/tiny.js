// The smallest web app: what it costs is what Node's http costs. Its worker id shows how connections spread.
'use strict';

const http = require('http');
const worker = String(require('cluster').worker?.id || process.pid);

http.createServer((request, response) => {
  response.setHeader('x-worker', worker);
  response.end('hello\n');
}).listen(process.env.PORT || 3000);
