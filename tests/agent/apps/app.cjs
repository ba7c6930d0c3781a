'use strict';

// One app for most scenarios. PROTO picks the server. A test steers it by the order of things on the IPC channel, never
// by time: 'ping' -> 'pong' proves that everything sent before has been handled; 'release' lets held answers go.

const fs = require('fs');
const { PROTO = 'http', TLS_DIR = '', HOST = '127.0.0.1', EXCLUSIVE, REUSE_PORT, UNIX_PATH, INSPECT } = process.env;

if (INSPECT) require('inspector').open(0, '127.0.0.1');

function burnCpu(ms) {
  let sum = 0;
  for (const end = Date.now() + ms; Date.now() < end;) for (let i = 0; i < 1e4; i++) sum += Math.sqrt(i);
  return sum;
}

// Objects to be counted, and some that would tell if one called into them.
class Leaked { constructor(id) { this.id = id; this.name = `leak ${id}`; } }
const leaked = [];
const tells = () => { console.log('called into'); };
leaked.push(
  new Proxy({}, { getPrototypeOf: tells, ownKeys: tells, get: tells }),
  Object.create({ get constructor() { return tells(); } }), Object.create(ArrayBuffer.prototype), Object.create(null),
);
const revoked = Proxy.revocable(class {}, {});
leaked.push(Object.create({ constructor: revoked.proxy }));
revoked.revoke();

const held = [];
const hold = (fn) => held.push(fn);

const routes = {
  '/': (req, res) => res.end('ok'),
  '/slot': (req, res) => {
    const { SLC_SLOT, NODE_APP_INSTANCE, SLC_SPARE } = process.env;
    res.end(`${SLC_SLOT} ${NODE_APP_INSTANCE} ${SLC_SPARE}`);
  },
  '/cache': (req, res) => {
    const { getCompileCacheDir } = require('module');
    res.end(`${(getCompileCacheDir && getCompileCacheDir()) || 'none'} ${process.env.SLC_COMPILE_CACHE}`);
  },
  '/hot': (req, res) => res.end(String(burnCpu(60))),
  '/leak': (req, res) => {
    for (let i = 0; i < 1000; i++) leaked.push(new Leaked(i));
    res.end('leaked');
  },
  '/exit': () => process.exit(3),
  '/crash': () => setImmediate(() => { throw new Error('crash'); }),
  '/hold': (req, res) => hold(() => res.end('held')),
  '/stream': (req, res) => { res.write('begin '); hold(() => res.end('end')); },
  '/stored': (req, res) => { res.writeHead(200, { 'Content-Length': 6 }); hold(() => res.end('stored')); },
  '/early': (req, res) => res.writeHead(403).end('no', () => process.send('early')),
  '/upload': (req, res) => {
    let bytes = 0;
    req.on('data', (chunk) => { bytes += chunk.length; });
    req.on('end', () => res.end(String(bytes)));
  },
  '/block': (req, res) => { // a busy event loop; says so before, on a channel that is written synchronously
    process.send('blocking');
    const end = Date.now() + Number(req.headers['x-ms']);
    while (Date.now() < end);
    res.end('blocked');
  },
  // Five ways to get a Connection header that Node does not write by itself, or none
  '/set': (req, res) => {
    res.setHeader('Connection', 'keep-alive');
    res.setHeader('Keep-Alive', 'timeout=99');
    res.end('ok');
  },
  '/object': (req, res) => res.writeHead(200, { connection: 'Keep-Alive', 'x-mine': '1' }).end('ok'),
  '/array': (req, res) => res.writeHead(200, ['CONNECTION', 'keep-alive', 'x-mine', '1']).end('ok'),
  '/removed': (req, res) => { res.removeHeader('connection'); res.end('ok'); },
  '/close': (req, res) => { res.setHeader('Connection', 'close'); res.end('ok'); },
  '/426': (req, res) => res.writeHead(426, { Connection: 'Upgrade', Upgrade: 'x' }).end('ok'),
};

function onRequest(req, res) {
  if (PROTO === 'express') Object.setPrototypeOf(res, Object.create(require('http').ServerResponse.prototype));
  (routes[req.url] || routes['/'])(req, res);
}

function createServer() {
  const tls = TLS_DIR && { key: fs.readFileSync(`${TLS_DIR}/key.pem`), cert: fs.readFileSync(`${TLS_DIR}/cert.pem`) };
  switch (PROTO) {
    case 'https': return require('https').createServer(tls, onRequest);
    case 'h2': return require('http2').createSecureServer({ ...tls, allowHTTP1: true }, onRequest);
    case 'h2c': return require('http2').createServer(onRequest);
    case 'net': return require('net').createServer((socket) => {
      socket.parser = { finish: () => socket.destroy() }; // a protocol with a parser of its own
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    case 'mux': { // the first byte decides, as port multiplexers do
      const http = require('http').createServer(onRequest);
      return require('net').createServer((socket) => socket.once('data', (data) => {
        socket.pause();
        http.emit('connection', socket);
        socket.unshift(data);
        socket.resume();
      }));
    }
    default: return require('http').createServer(onRequest);
  }
}

const server = createServer();
if (process.env.KEEP_ALIVE_TIMEOUT) server.keepAliveTimeout = Number(process.env.KEEP_ALIVE_TIMEOUT);
server.on('upgrade', (req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  socket.pipe(socket);
});

const commands = {
  ping: () => process.send('pong'),
  release: () => held.splice(0).forEach((fn) => fn()),
  shutdown: () => process.env.CLOSE_ON_SHUTDOWN && server.close(),
  second: () => { // a server that is born late
    const second = require('http').createServer(onRequest);
    second.listen(0, HOST, () => process.send({ second: second.address().port }));
  },
};
// A listener for messages would ref the channel, so it can be left out.
if (!process.env.NO_MESSAGES) {
  process.on('message', (message) => {
    process.send({ seen: message });
    if (Object.hasOwnProperty.call(commands, message)) commands[message]();
  });
}

if (UNIX_PATH) server.listen({ path: UNIX_PATH, exclusive: !!EXCLUSIVE });
else server.listen({ host: HOST, port: 0, exclusive: !!EXCLUSIVE, reusePort: !!REUSE_PORT });
