// An Express application with one route per thing that system tests need to provoke.
//
// express4 and express5 hold the same file, each folder can be copied and run on its own
// (tests/lint/apps compares them).
//
//   PORT            where to listen (3000)         APP_HTTPS=1     https with the files APP_KEY, APP_CERT
//   APP_BOOT_MS     delay before listening         APP_GENERATION  shown in the header x-generation
//   version.txt     its first line is read at start and shown in the header x-version
'use strict';

const cluster = require('cluster');
const express = require('express');
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');

const MEBIBYTE = Buffer.alloc(1024 * 1024, 'slc ');

const app = express();
const version = readVersion();

function readVersion() {
  try {
    return fs.readFileSync(path.join(__dirname, 'version.txt'), 'utf8').split('\n')[0].trim();
  } catch (error) {
    return 'none';
  }
}

function number(text, fallback) {
  const value = Number(text);
  return text === undefined || Number.isNaN(value) ? fallback : value;
}

// Runs `deed` once the answer has left and outside of any request's handler.
function afterAnswer(response, deed) {
  response.on('finish', () => setImmediate(deed));
  response.status(202).type('text').send('as you wish\n');
}

app.use((request, response, next) => {
  response.set('x-worker', String(cluster.worker ? cluster.worker.id : process.pid));
  response.set('x-pid', String(process.pid));
  response.set('x-generation', process.env.APP_GENERATION || 'none');
  response.set('x-version', version);
  next();
});

app.get('/', (request, response) => {
  response.type('text').send('hello\n');
});

app.get('/pid', (request, response) => {
  response.type('text').send(`${process.pid}\n`);
});

app.get('/slow', (request, response) => {
  setTimeout(() => response.type('text').send('slow\n'), number(request.query.ms, 2000));
});

app.get('/big', (request, response) => {
  response.type('application/octet-stream').send(MEBIBYTE);
});

app.post('/upload', (request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
  });
  request.on('end', () => response.json({ bytes }));
});

// null for what is not set.
app.get('/env', (request, response) => {
  const name = String(request.query.name);
  const value = process.env[name];
  response.json({ name, value: value === undefined ? null : value });
});

app.get('/crash', (request, response) => {
  afterAnswer(response, () => {
    throw new Error('crash asked for by /crash');
  });
});

app.get('/exit', (request, response) => {
  afterAnswer(response, () => process.exit(number(request.query.code, 0)));
});

// Keeps the event loop busy, so that nothing else in this worker moves.
app.get('/block', (request, response) => {
  const end = Date.now() + number(request.query.ms, 1000);
  while (Date.now() < end);
  response.type('text').send('blocked\n');
});

// n lines "TEXT 1", "TEXT 2", ... on stdout, or on stderr with stream=err.
app.get('/log', (request, response) => {
  const write = request.query.stream === 'err' ? console.error : console.log;
  const n = number(request.query.n, 1);
  for (let i = 1; i <= n; i += 1) write(`${request.query.text || 'line'} ${i}`);
  response.json({ lines: n });
});

// What a WebSocket is to whoever drains: an upgraded socket that stays. Echoes bytes as they come.
function upgrade(request, socket, head) {
  if (request.url !== '/ws') {
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  if (head.length > 0) socket.unshift(head);
  socket.pipe(socket);
}

function createServer() {
  if (process.env.APP_HTTPS !== '1') return http.createServer(app);
  const key = fs.readFileSync(process.env.APP_KEY);
  const cert = fs.readFileSync(process.env.APP_CERT);
  return https.createServer({ key, cert }, app);
}

function listen() {
  const server = createServer();
  server.on('upgrade', upgrade);
  server.listen(process.env.PORT || 3000, () => {
    console.log(`listening on port ${server.address().port}`);
  });
}

if (process.env.APP_BOOT_MS) {
  setTimeout(listen, number(process.env.APP_BOOT_MS, 0));
} else {
  listen();
}
