// A socket.io server whose sessions live in the worker they began in: each request of a polling
// client has to reach that one.
//
//   PORT   where to listen
//   'echo' (text) is acknowledged with { text, slot, pid }
'use strict';

const http = require('http');
const { Server } = require('socket.io');

const server = http.createServer((request, response) => response.end('hello\n'));
new Server(server).on('connection', (socket) => {
  socket.on('echo', (text, acknowledge) => {
    acknowledge({ text, slot: process.env.SLC_SLOT, pid: process.pid });
  });
});
server.listen(Number(process.env.PORT || 3000));
