// Answers each datagram with "PID TEXT". APP_EXCLUSIVE=1 binds without the cluster's help.
'use strict';

const dgram = require('dgram');

const socket = dgram.createSocket('udp4');
socket.on('message', (message, from) => {
  socket.send(`${process.pid} ${message}`, from.port, from.address);
});
socket.on('listening', () => console.log(`bound to port ${socket.address().port}`));
socket.bind({
  port: Number(process.env.PORT || 3000),
  exclusive: process.env.APP_EXCLUSIVE === '1',
});
