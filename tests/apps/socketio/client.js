// Many socket.io clients that only poll, each from an address of its own, and each request on a
// connection of its own.
//
//   node client.js URL CLIENTS    until SIGTERM; then prints a line of JSON
//     { echoed, lost, refused, slots: { ADDRESS: [SLOT...] } }
//
// lost: sessions that ended though nobody ended them. refused: sessions that did not come about.
'use strict';

const http = require('http');
const { io } = require('socket.io-client');

const [url, clients] = process.argv.slice(2);
const report = { echoed: 0, lost: 0, refused: 0, slots: {} };
let ending = false;
const sockets = [];

for (let i = 0; i < Number(clients); ++i) {
  const localAddress = `127.0.0.${i + 2}`;
  const seen = (report.slots[localAddress] = []);
  const socket = io(url, {
    transports: ['polling'],
    agent: new http.Agent({ localAddress, keepAlive: false }),
    reconnectionDelay: 50,
    reconnectionDelayMax: 50,
  });
  const ask = () => {
    socket.timeout(5000).emit('echo', 'hello', (error, answer) => {
      if (!error) {
        report.echoed += 1;
        if (!seen.includes(answer.slot)) seen.push(answer.slot);
      }
      if (!ending && socket.connected) setTimeout(ask, 50);
    });
  };
  socket.on('connect', ask);
  socket.on('disconnect', () => {
    if (!ending) report.lost += 1;
  });
  socket.on('connect_error', () => {
    report.refused += 1;
  });
  sockets.push(socket);
}

process.once('SIGTERM', () => {
  ending = true;
  for (const socket of sockets) socket.close();
  process.stdout.write(JSON.stringify(report) + '\n', () => process.exit(0));
});
