'use strict';

// A real Node cluster primary in the role of slc-master, and an HTTP client on bare sockets that counts exactly.
// One scenario runs in one process: workers of one primary would share port 0.

const assert = require('assert');
const cluster = require('cluster');
const { execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const tls = require('tls');

const AGENT = process.env.AGENT || path.resolve(__dirname, '../../daemon/master/agent/agent.cjs');
const PATIENCE = 8000; // ms; a wait that takes longer has failed

const now = () => process.uptime() * 1000;
// The longest time that this process did not get to run: what is late by that much says nothing about the agent.
let stall = 0;
let lastTurn = now();
setInterval(() => {
  stall = Math.max(stall, now() - lastTurn - 10);
  lastTurn = now();
}, 10).unref();
const longestStall = () => stall;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, predicate, patience = PATIENCE) {
  const deadline = now() + patience;
  for (;;) {
    const result = predicate();
    if (result) return result;
    if (now() > deadline) throw new Error(`waited ${patience} ms in vain for: ${what}`);
    await sleep(5);
  }
}

const app = (name) => path.join(__dirname, 'apps', name);

// `agent`: another file, or false.
function start(file, env = {}, agent = true) {
  const execArgv = agent ? ['--require', agent === true ? AGENT : agent] : [];
  cluster.setupPrimary({ exec: file, execArgv, silent: true });
  return new Worker(cluster.fork(env));
}

let asked = 0;
// Ends of a connection over a unix socket: ours reads nothing yet.
async function socketPair() {
  const where = path.join(os.tmpdir(), `slc-agent-${process.pid}-${asked}.sock`);
  const server = net.createServer({ pauseOnConnect: true }).listen(where);
  await new Promise((resolve) => server.once('listening', resolve));
  const accepted = new Promise((resolve) => server.once('connection', resolve));
  const theirs = net.connect(where);
  theirs.on('error', () => {});
  const reader = await accepted;
  await until('connection', () => theirs.readyState === 'open' || !theirs.connecting);
  theirs.pause();
  server.close();
  return [reader, theirs];
}

// Reads a result to its end: {whole, error, bytes}; see common/wire/result_stream.h.
async function readResult(reader) {
  let rest = Buffer.alloc(0);
  const result = { whole: false, error: null, bytes: [] };
  for await (const data of reader) {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 4) {
      const head = rest.readUInt32BE(0);
      const length = head & 0x7fffffff;
      if (rest.length < 4 + length) break;
      const body = rest.subarray(4, 4 + length);
      if (head === 0) result.whole = true;
      else if (head & 0x80000000) result.error = body.toString();
      else result.bytes.push(body);
      rest = rest.subarray(4 + length);
    }
  }
  result.text = () => Buffer.concat(result.bytes).toString();
  return result;
}

class Worker {
  constructor(worker) {
    Object.assign(this, { worker, internal: [], messages: [], output: '', port: 0 });
    worker.process.on('internalMessage', (message) => this.internal.push(message));
    worker.on('message', (message) => this.messages.push(message));
    worker.on('listening', ({ port }) => { this.port = port; });
    worker.on('disconnect', () => { this.disconnectedAt = now(); });
    worker.on('exit', (code, signal) => { this.exit = { code, signal }; this.exitedAt = now(); });
    worker.process.stdout.on('data', (data) => { this.output += data; });
    worker.process.stderr.on('data', (data) => { this.output += data; });
  }

  async listening() {
    await until('listening', () => this.port || this.exit);
    assert(this.port, `worker did not listen: ${this.output}`);
    return this;
  }

  agentMessages(act) { return this.internal.filter((m) => m.cmd === 'NODE_SLC' && (!act || m.act === act)); }
  seenByApp() { return this.messages.filter((m) => m.seen !== undefined && m.seen !== 'ping').map((m) => m.seen); }

  // The channel is ordered: after the answer the worker has handled all that was sent before, but a request that a
  // client sends right after drain() may overtake the frame.
  async ping() {
    const pongs = () => this.messages.filter((m) => m === 'pong').length;
    const before = pongs();
    this.worker.send('ping');
    await until('pong', () => pongs() > before);
  }
  release() { this.worker.send('release'); }

  // The master's order: frame, the messages apps listen for, disconnect.
  frame(linger) {
    this.drainedAt = now();
    this.worker.process.send({ cmd: 'NODE_SLC', act: 'drain', linger });
  }
  askAgent(id) { this.worker.process.send({ cmd: 'NODE_SLC', act: 'ping', id }); }
  // Asks it to show something of itself, as the master does; with `result`, over a socket of its own; `unread`: whose
  // other end is gone; `lost`: for which the worker had no room.
  async ask(what, { result = false, unread = false, lost = false, deadline = 1e12, ...more } = {}) {
    const id = ++asked;
    const question = { cmd: 'NODE_SLC', act: 'inspect', id, what, until: deadline, by: 'uid 0', request: `r${id}`, ...more };
    let reader = null, theirs = null;
    if (result) [reader, theirs] = await socketPair();
    if (unread) reader.destroy();
    if (lost) this.worker.process.send({ cmd: 'NODE_HANDLE', type: 'net.Native', msg: question });
    else this.worker.process.send(question, theirs ? theirs._handle : undefined);
    const answer = await until(`answer to ${what}`, () => this.agentMessages('inspected').find((m) => m.id === id), 30000);
    if (theirs) theirs.destroy();
    return { answer, reader };
  }
  inspection() { return this.agentMessages('inspection').pop(); }
  hangUp() { this.worker.process.send({ cmd: 'NODE_SLC', act: 'hangup' }); }
  disconnect() {
    if (this.drainedAt === undefined) this.drainedAt = now();
    this.worker.disconnect();
  }
  drain(linger) {
    this.frame(linger);
    this.worker.send('shutdown');
    this.worker.send({ cmd: 'CLUSTER_CONTROL_shutdown' });
    this.disconnect();
  }

  async gone() {
    await until('worker exit', () => this.exit);
    assert.deepStrictEqual(this.exit, { code: 0, signal: null }, this.output);
    assert.strictEqual(this.output, '');
  }
}

class Client {
  static async open(where, options) { // a port or a path
    const client = new Client(where, options);
    await until('connection', () => client.connected || client.error);
    if (client.error) throw client.error;
    return client;
  }

  constructor(where, { secure = false } = {}) {
    Object.assign(this, { buffer: Buffer.alloc(0), answers: [], taken: 0 });
    const to = typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' };
    if (secure) Object.assign(to, { rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    const connected = () => { this.connected = true; };
    this.socket = secure ? tls.connect(to, connected) : net.connect(to, connected);
    this.socket.setNoDelay(true);
    this.socket.on('data', (data) => this.#onData(data));
    this.socket.on('end', () => { this.finAt = now(); this.#onEnd(); });
    this.socket.on('error', (error) => { this.error = error; this.finAt = this.finAt || now(); });
    this.socket.on('close', () => { this.closed = true; });
  }

  #onData(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    while (!this.raw && this.#parse());
  }
  #onEnd() { if (!this.raw && this.buffer.length) this.error = new Error(`FIN inside an answer: ${this.buffer}`); }

  #parse() {
    const end = this.buffer.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line, ...fields] = this.buffer.toString('latin1', 0, end).split('\r\n');
    const headers = {};
    for (const field of fields) {
      const name = field.slice(0, field.indexOf(':')).toLowerCase();
      const value = field.slice(name.length + 1).trim();
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const status = Number(line.split(' ')[1]);
    let at = end + 4;
    let body = '';
    if (headers['transfer-encoding'] === 'chunked') {
      for (;;) {
        const eol = this.buffer.indexOf('\r\n', at);
        if (eol < 0) return false;
        const size = parseInt(this.buffer.toString('latin1', at, eol), 16);
        if (this.buffer.length < eol + 2 + size + 2) return false;
        body += this.buffer.toString('latin1', eol + 2, eol + 2 + size);
        at = eol + 2 + size + 2;
        if (size === 0) break;
      }
    } else {
      const length = Number(headers['content-length'] || 0);
      if (this.buffer.length < at + length) return false;
      body = this.buffer.toString('latin1', at, at + length);
      at += length;
    }
    this.buffer = this.buffer.subarray(at);
    if (status === 101) this.raw = true;
    this.answers.push({ status, headers, body, at: now() });
    return true;
  }

  write(text) { this.socket.write(text); return this; }
  send(url, { method = 'GET', headers = {}, body = '' } = {}) {
    const fields = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.write(`${method} ${url} HTTP/1.1\r\n${fields.join('')}\r\n${body}`);
  }
  async next() {
    await until('answer', () => this.answers.length > this.taken || this.finAt);
    if (this.answers.length <= this.taken) throw this.error || new Error('FIN instead of an answer');
    return this.answers[this.taken++];
  }
  get(url, options) { return this.send(url, options).next(); }
  async fin() {
    await until('FIN', () => this.finAt);
    assert.ifError(this.error); // an RST, or a FIN inside an answer
    return this.finAt;
  }
  get open() { return !this.finAt; }
  close() { this.socket.destroy(); }
}

let certificates;
function certificateDir() {
  if (!certificates) {
    certificates = fs.mkdtempSync(path.join(os.tmpdir(), 'slc-agent-'));
    process.on('exit', () => fs.rmSync(certificates, { recursive: true, force: true }));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', `${certificates}/key.pem`, '-out', `${certificates}/cert.pem`, '-days', '2', '-subj', '/CN=localhost'],
    { stdio: 'ignore' });
  }
  return certificates;
}

module.exports = { AGENT, Client, app, certificateDir, longestStall, now, readResult, sleep, start, until };
