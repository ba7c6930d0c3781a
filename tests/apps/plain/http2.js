// HTTP/2 over TLS, HTTP/1.1 for clients without it. The files APP_KEY and APP_CERT are needed.
// /slow?ms=N answers late; anything else answers the pid.
'use strict';

const fs = require('fs');
const http2 = require('http2');

const options = {
  key: fs.readFileSync(process.env.APP_KEY),
  cert: fs.readFileSync(process.env.APP_CERT),
  allowHTTP1: true,
};

const server = http2.createSecureServer(options, (request, response) => {
  const url = new URL(request.url, 'https://localhost');
  const delay = url.pathname === '/slow' ? Number(url.searchParams.get('ms') || 2000) : 0;
  setTimeout(() => response.end(`${process.pid}\n`), delay);
});

server.listen(process.env.PORT || 3000);
