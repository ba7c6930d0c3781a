// HTTP on the unix socket APP_SOCKET.
'use strict';

const http = require('http');

http.createServer((request, response) => response.end(`${process.pid}\n`)).listen(process.env.APP_SOCKET);
