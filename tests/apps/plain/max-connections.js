// Takes APP_MAX (1) connections at a time and refuses the others. Keep-alive connections count.
'use strict';

const http = require('http');

const server = http.createServer((request, response) => response.end(`${process.pid}\n`));
server.maxConnections = Number(process.env.APP_MAX || 1);
server.listen(process.env.PORT || 3000);
