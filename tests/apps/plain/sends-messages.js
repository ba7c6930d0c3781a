// Sends over the IPC channel whatever an application can: values of every kind, big ones, look-alikes of
// internal messages, and handles. Answers {"pid", "sent", "done", "failed"}; done reaches sent only if
// every handle is acknowledged, since Node holds back all that follows an unacknowledged one.
'use strict';

const dgram = require('dgram');
const http = require('http');
const net = require('net');

const state = { pid: process.pid, sent: 0, done: 0, failed: [] };

function send(name, message, handle) {
  state.sent += 1;
  process.send(message, handle, (error) => {
    if (error) state.failed.push(`${name}: ${error.message}`);
    else state.done += 1;
  });
}

function sendValues() {
  send('string', 'hello');
  send('empty string', '');
  send('line breaks', 'one\ntwo\r\n\u2028three');
  send('number', 42);
  send('boolean', false);
  send('null', null);
  send('array', [1, 'two', { three: 3 }]);
  send('object', { type: 'process:msg', data: { nested: { deep: true } } });
  send('text in other scripts', { text: '\u00e4\u20ac\u{1f600}\u0000' });
  send('big string', 'x'.repeat(1024 * 1024));
  send('big object', { rows: Array.from({ length: 10000 }, (unused, i) => ({ i, text: 'row' })) });
  send('unknown internal command', { cmd: 'NODE_UNKNOWN', act: 'nothing' });
  send('unknown cluster act', { cmd: 'NODE_CLUSTER', act: 'nothing', seq: 1 });
  send('cluster act of the wrong type', { cmd: 'NODE_CLUSTER', act: 7, seq: 'x' });
}

// `exclusive` makes real sockets of them; the cluster's stand-ins cannot be sent.
function sendHandles() {
  const server = net.createServer().listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
    const client = net.connect(server.address().port, '127.0.0.1', () => {
      send('socket', { handle: 'socket' }, client);
      send('server', { handle: 'server' }, server);
      send('after the handles', 'still here');
    });
  });
  const datagrams = dgram.createSocket('udp4');
  datagrams.bind({ port: 0, address: '127.0.0.1', exclusive: true }, () => {
    send('datagram socket', { handle: 'datagrams' }, datagrams);
  });
}

http
  .createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(state));
  })
  .listen(process.env.PORT || 3000, () => {
    if (!process.send) return;
    sendValues();
    sendHandles();
  });
