// Echoes bytes; a connection lives until the client ends it.
'use strict';

const net = require('net');

net
  .createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  })
  .listen(process.env.PORT || 3000);
