'use strict';

// node scenarios.cjs --list | node scenarios.cjs NAME
// Each scenario gets a fresh process (see harness.cjs); what it returns is printed behind its name.

const assert = require('assert');
const { execFile, fork } = require('child_process');
const fs = require('fs');
const http2 = require('http2');
const net = require('net');
const os = require('os');
const path = require('path');
const { Duplex } = require('stream');
const tls = require('tls');
const { AGENT, Client, app, certificateDir, longestStall, now, readResult, sleep, start, until } = require('./harness.cjs');

const LINGER = 400;
const SLACK = 300; // ms a close may come late; too little for a second linger
const [MAJOR] = process.versions.node.split('.').map(Number);

const scenarios = {};
const http = (env, agent) => start(app('app.cjs'), env, agent).listening();
const https = (env) => http({ PROTO: 'https', TLS_DIR: certificateDir(), ...env });
const SECURE = { secure: true };

// An idle connection closes `linger` ms after the last activity, to be seen as a FIN without an RST.
function assertLingered(fin, since, linger = LINGER) {
  const ms = Math.round(fin - since);
  assert(ms >= linger - 2, `closed too early: ${ms} ms after the last activity`);
  assert(ms <= linger + SLACK + 2 * longestStall(), `closed too late: ${ms} ms after the last activity`);
  return `${ms} ms`;
}
const saysClose = (answer) => assert.match(answer.headers.connection || '', /\bclose\b/);
const saysKeepAlive = (answer) => assert.strictEqual(answer.headers.connection, 'keep-alive');

// A connection that is idle from now on: when it has been closed, the agent has looked at all others too.
async function idleCompanion(worker, options) {
  const companion = await Client.open(worker.port, options);
  saysKeepAlive(await companion.get('/'));
  return companion;
}

scenarios['idle keep-alive connection is closed after the linger, not before'] = async () => {
  const worker = await http();
  const client = await idleCompanion(worker);
  worker.drain(LINGER);
  const took = assertLingered(await client.fin(), worker.drainedAt);
  await worker.gone();
  assert(worker.disconnectedAt - client.finAt < SLACK, 'channel closes as soon as the last connection is gone');
  return took;
};

scenarios['request within the linger is answered with Connection: close'] = async () => {
  const worker = await http();
  const client = await idleCompanion(worker);
  worker.drain(LINGER);
  await worker.ping();
  saysClose(await client.get('/'));
  await client.fin();
  assert.strictEqual(client.answers.length, 2);
  await worker.gone();
};

scenarios['headers set by the app in any way say close while draining'] = async () => {
  const worker = await http();
  const urls = ['/', '/set', '/object', '/array', '/removed', '/close', '/426', '/stream'];
  const clients = await Promise.all(urls.map(() => idleCompanion(worker)));
  worker.frame(LINGER);
  await worker.ping();
  for (const [i, url] of urls.entries()) clients[i].send(url);
  await until('stream begun', () => clients[7].buffer.length);
  worker.release();
  const answers = await Promise.all(clients.map((client) => client.next()));
  worker.disconnect();
  answers.forEach(saysClose);
  answers.forEach((answer) => assert(!answer.headers['keep-alive']));
  assert.strictEqual(answers[3].headers['x-mine'], '1');
  assert.match(answers[6].headers.connection, /upgrade/i);
  assert.deepStrictEqual(answers.map((a) => a.body), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'begin end']);
  await Promise.all(clients.map((client) => client.fin()));
  await worker.gone();
};

// Clients go on during a rolling replacement: everything sent is answered, and no connection ends without notice.
async function roll(clients, think) {
  const [old, next] = [await http(), await http()];
  assert.strictEqual(old.port, next.port);
  const count = { sent: 0, answered: 0, told: 0, unannounced: 0, lost: [] };
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const client = await Client.open(old.port);
      for (let goOn = true; goOn && !stopped;) {
        count.sent++;
        const answer = await client.get('/').catch((error) => count.lost.push(String(error)) && null);
        if (!answer) break;
        count.answered++;
        if (think) await sleep(Math.random() * think);
        goOn = answer.headers.connection !== 'close';
        if (!goOn) count.told++;
        else if (!client.open) { count.unannounced++; goOn = false; }
      }
      client.close();
    }
  };
  const load = Promise.all(Array.from({ length: clients }, run));
  await until('load', () => count.answered >= clients * 3);
  old.drain(600);
  await until('old worker gone', () => old.exit);
  const at = count.answered;
  await until('load on the new worker', () => count.answered >= at + clients * 2);
  stopped = true;
  await load;
  assert.deepStrictEqual([count.lost, count.unannounced, count.sent - count.answered], [[], 0, 0]);
  assert(count.told >= 1, 'the old worker had no client: nothing was tested');
  await old.gone();
  next.drain(0);
  await next.gone();
  const took = Math.round(old.disconnectedAt - old.drainedAt);
  return `${count.answered} requests, ${count.told} told to close, drained in ${took} ms`;
}
scenarios['20 busy clients without think time lose nothing'] = () => roll(20, 0);
scenarios['40 busy clients with 0-300 ms think time lose nothing'] = () => roll(40, 300);

scenarios['connection that never sent a byte is closed after the linger'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  await idleCompanion(worker).then((other) => other.close()); // so the worker has accepted both
  worker.drain(LINGER);
  const took = assertLingered(await client.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['half-sent header is waited for'] = async () => {
  const worker = await http();
  const half = await Client.open(worker.port);
  half.write('GET / HTTP/1.1\r\nHo');
  const companion = await idleCompanion(worker);
  worker.drain(LINGER);
  await companion.fin();
  assert(half.open);
  half.write('st: test\r\n\r\n');
  const answer = await half.next();
  assert.strictEqual(answer.body, 'ok');
  saysClose(answer);
  await half.fin();
  await worker.gone();
};

scenarios['1 MB upload in progress is finished'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  client.send('/upload', { method: 'POST', headers: { 'Content-Length': 1 << 20 }, body: 'x'.repeat(1 << 19) });
  const companion = await idleCompanion(worker);
  worker.drain(LINGER);
  await companion.fin();
  client.write('x'.repeat(1 << 19));
  const answer = await client.next();
  assert.strictEqual(answer.body, String(1 << 20));
  saysClose(answer);
  await client.fin();
  await worker.gone();
};

scenarios['answer given before the upload is complete is not cut off by an RST'] = async () => {
  const worker = await http();
  const client = await idleCompanion(worker);
  worker.frame(3000);
  await worker.ping();
  client.socket.pause(); // a client that reads only when it has sent everything, more than the socket buffers hold
  const size = 32 << 20;
  client.send('/early', { method: 'POST', headers: { 'Content-Length': size }, body: 'x' });
  await until('answer given', () => worker.messages.includes('early'));
  worker.disconnect();
  client.write('x'.repeat(size - 1));
  await until('upload', () => client.socket.writableLength === 0 || client.error);
  const uploaded = now();
  client.socket.resume();
  const answer = await client.next();
  assert.strictEqual(answer.status, 403);
  saysClose(answer);
  const took = (await client.fin()) - uploaded;
  assert(took < 1500, `a client that was told to go has no linger: ${took} ms`);
  await until('end without an error', () => client.closed);
  assert.ifError(client.error);
  await worker.gone();
};

scenarios['long answer whose headers were sent is finished, the next one says close'] = async () => {
  const worker = await http();
  const clients = [await Client.open(worker.port), await Client.open(worker.port)];
  for (const client of clients) {
    client.send('/stream');
    await until('begin', () => client.buffer.includes('begin '));
  }
  const companion = await idleCompanion(worker);
  worker.frame(LINGER);
  await companion.fin();
  worker.release();
  const released = now();
  for (const client of clients) {
    const answer = await client.next();
    assert.strictEqual(answer.body, 'begin end');
    saysKeepAlive(answer);
  }
  saysClose(await clients[0].get('/'));
  worker.disconnect();
  const took = assertLingered(await clients[1].fin(), released);
  await clients[0].fin();
  await worker.gone();
  return `then idle for ${took}`;
};

scenarios['answers in progress without sent headers say close'] = async () => {
  const worker = await http();
  const clients = [await Client.open(worker.port), await Client.open(worker.port)];
  clients[0].send('/hold');
  clients[1].send('/stored');
  await idleCompanion(worker);
  worker.drain(LINGER);
  worker.worker.process.send('release');
  await until('answers', () => clients.every((client) => client.answers.length || client.finAt));
  assert.deepStrictEqual(clients.map((client) => client.answers[0].body), ['held', 'stored']);
  clients.forEach((client) => saysClose(client.answers[0]));
  await worker.gone();
};

scenarios['pipelined requests are all answered, the last one says close'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  client.send('/hold').send('/stored').send('/');
  await idleCompanion(worker).then((other) => other.close());
  worker.frame(LINGER);
  await worker.ping();
  client.send('/');
  await roundTripWhileDraining(worker);
  worker.release();
  const answers = [await client.next(), await client.next(), await client.next(), await client.next()];
  assert.deepStrictEqual(answers.map((a) => a.body), ['held', 'stored', 'ok', 'ok']);
  assert.deepStrictEqual(answers.map((a) => a.headers.connection === 'close'), [false, false, false, true]);
  worker.disconnect();
  await client.fin();
  await worker.gone();
};

// A round trip on a new connection: what other clients sent before has been read.
async function roundTripWhileDraining(worker, options) {
  const client = await Client.open(worker.port, options);
  saysClose(await client.get('/'));
  return client;
}

scenarios['request that waits in the socket buffer at the deadline is served'] = async () => {
  const worker = await http();
  const clients = [];
  for (let i = 0; i < 20; i++) clients.push(await idleCompanion(worker));
  const blocker = await Client.open(worker.port);
  worker.frame(LINGER);
  await worker.ping();
  blocker.send('/block', { headers: { 'x-ms': LINGER + 300 } }); // the deadline passes within
  await until('blocking', () => worker.messages.includes('blocking'));
  const answers = await Promise.all(clients.map((client) => client.get('/')));
  answers.forEach(saysClose);
  worker.disconnect();
  await Promise.all(clients.map((client) => client.fin()));
  await worker.gone();
};

scenarios['upgraded connection is left open'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  const answer = await client.get('/', { headers: { Connection: 'Upgrade', Upgrade: 'echo' } });
  assert.strictEqual(answer.status, 101);
  const companion = await idleCompanion(worker);
  worker.drain(LINGER);
  await companion.fin();
  client.write('still there?');
  await until('echo', () => client.buffer.includes('still there?') || client.finAt);
  assert(client.open);
  assert(!worker.disconnectedAt && !worker.exit);
  client.socket.end();
  await worker.gone();
};

// What drains still when its time is over: a WebSocket whose client has unread bytes under way, a long poll, a
// request half sent. Each client reads FIN, not RST, and the worker leaves by itself.
async function hangUpScenario(worker, options) {
  const upgraded = await Client.open(worker.port, options);
  assert.strictEqual((await upgraded.get('/', { headers: { Connection: 'Upgrade', Upgrade: 'echo' } })).status, 101);
  const polling = await Client.open(worker.port, options);
  polling.send('/stream');
  const half = await Client.open(worker.port, options);
  half.write('GET / HTTP/1.1\r\nHo');
  const companion = await idleCompanion(worker, options);
  worker.drain(LINGER);
  await companion.fin();
  upgraded.write('still there?');
  await until('echo', () => upgraded.buffer.includes('still there?') || upgraded.finAt);
  assert(upgraded.open && polling.open && half.open && !worker.disconnectedAt);
  worker.hangUp();
  for (const client of [upgraded, polling, half]) await until('FIN', () => client.finAt);
  assert.ifError(upgraded.error);
  assert.ifError(polling.error && polling.error.code);
  assert.ifError(half.error);
  await worker.gone();
}

scenarios['when the drain timeout is over, whoever is left gets a FIN'] = async () => hangUpScenario(await http());
scenarios['https: the same'] = async () => hangUpScenario(await https(), SECURE);

scenarios['long poll is left open'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  client.send('/hold');
  const companion = await idleCompanion(worker);
  worker.drain(LINGER);
  await companion.fin();
  assert(client.open && !worker.disconnectedAt && !worker.exit);
  client.socket.end();
  await worker.gone();
};

scenarios['plain net server is left alone'] = async () => {
  const worker = await http({ PROTO: 'net' });
  const client = await Client.open(worker.port);
  client.raw = true;
  client.write('a');
  await until('echo', () => client.buffer.includes('a'));
  worker.worker.send('second');
  const { second } = await until('http server', () => worker.messages.find((m) => m.second));
  const companion = await idleCompanion({ port: second });
  worker.drain(LINGER);
  await companion.fin();
  client.write('b');
  await until('echo', () => client.buffer.includes('b') || client.finAt);
  assert(client.open);
  client.socket.end();
  await worker.gone();
};

scenarios['connections fed to an http server that does not listen are drained'] = async () => {
  const worker = await http({ PROTO: 'mux' });
  const [idle, busy] = [await idleCompanion(worker), await idleCompanion(worker)];
  worker.drain(LINGER);
  await worker.ping();
  saysClose(await busy.get('/'));
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['connections and servers born after the drain frame are served and told'] = async () => {
  const worker = await http();
  worker.frame(LINGER);
  await worker.ping();
  const client = await Client.open(worker.port);
  const silent = await Client.open(worker.port);
  saysClose(await client.get('/'));
  worker.worker.send('second');
  const { second } = await until('second server', () => worker.messages.find((m) => m.second));
  const other = await Client.open(second);
  saysClose(await other.get('/'));
  worker.disconnect();
  await Promise.all([client.fin(), silent.fin(), other.fin()]);
  await worker.gone();
};

scenarios['response prototypes as Express swaps them'] = async () => {
  const worker = await http({ PROTO: 'express' });
  const [client, idle] = [await idleCompanion(worker), await idleCompanion(worker)];
  worker.drain(LINGER);
  await worker.ping();
  saysClose(await client.get('/'));
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['keepAliveTimeout 0: the linger counts'] = async () => {
  const worker = await http({ KEEP_ALIVE_TIMEOUT: 0 });
  const client = await idleCompanion(worker);
  worker.drain(LINGER);
  const took = assertLingered(await client.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['unix socket'] = async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'slc-agent-'));
  process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));
  const worker = start(app('app.cjs'), { UNIX_PATH: `${dir}/sock` });
  await until('listening', () => worker.worker.state === 'listening' || worker.exit);
  const client = await idleCompanion({ port: `${dir}/sock` });
  worker.drain(LINGER);
  const took = assertLingered(await client.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['https: idle, busy, in handshake and never used'] = async () => {
  const worker = await https();
  const idle = await idleCompanion(worker, SECURE);
  const busy = await idleCompanion(worker, SECURE);
  const unused = await Client.open(worker.port, SECURE);
  const silent = await Client.open(worker.port);
  const late = net.connect(worker.port, '127.0.0.1'); // TCP now, TLS only while the worker drains
  await until('connected', () => !late.connecting);
  await idleCompanion(worker, SECURE).then((other) => other.close());
  worker.drain(LINGER);
  await worker.ping();
  saysClose(await busy.get('/'));
  const secured = tls.connect({ socket: late, rejectUnauthorized: false });
  let text = '';
  secured.on('data', (data) => { text += data; }).on('error', (error) => { text += error; });
  secured.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('answer after a late handshake', () => /Connection: close[^]*ok$/.test(text));
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  assertLingered(await unused.fin(), worker.drainedAt);
  assertLingered(await silent.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['https: half-sent header is waited for'] = async () => {
  const worker = await https();
  const half = await Client.open(worker.port, SECURE);
  half.write('GET / HTTP/1.1\r\nHo');
  const companion = await idleCompanion(worker, SECURE);
  worker.drain(LINGER);
  await companion.fin();
  half.write('st: test\r\n\r\n');
  saysClose(await half.next());
  await half.fin();
  await worker.gone();
};

scenarios['https: half a TLS record is an activity'] = async () => {
  const worker = await https();
  let hold = false;
  let rest;
  const wire = net.connect(worker.port, '127.0.0.1');
  const link = new Duplex({
    read() {},
    write(chunk, encoding, done) {
      if (hold) rest = chunk.subarray(chunk.length / 2);
      wire.write(hold ? chunk.subarray(0, chunk.length / 2) : chunk, done);
    },
  });
  wire.on('data', (data) => link.push(data)).on('end', () => link.push(null));
  let text = '';
  const client = tls.connect({ socket: link, rejectUnauthorized: false });
  client.on('data', (data) => { text += data; }).on('error', (error) => { text += error; });
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('answer', () => text.endsWith('ok'));
  const companion = await idleCompanion(worker, SECURE);
  worker.drain(LINGER);
  await sleep(LINGER / 2); // part of the linger, not a synchronisation
  hold = true;
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await companion.fin();
  wire.write(rest);
  await until('second answer and end', () => wire.destroyed);
  assert.match(text, /Connection: close[^]*ok$/);
  await worker.gone();
};

// HTTP/2: GOAWAY comes with the next stream or after the linger; in-flight streams finish.
async function http2Scenario(worker, url) {
  const connect = async () => {
    const session = http2.connect(url, { rejectUnauthorized: false, servername: 'localhost' });
    session.errors = [];
    session.on('error', (error) => session.errors.push(error));
    session.on('goaway', (code) => { session.goawayAt = now(); session.code = code; });
    session.on('close', () => { session.closedAt = now(); });
    await until('session', () => session.alpnProtocol || session.errors.length);
    return session;
  };
  const get = (session, target) => {
    const stream = session.request({ ':path': target });
    const answer = { body: '' };
    stream.on('response', (headers) => { answer.status = headers[':status']; });
    stream.on('data', (data) => { answer.body += data; });
    stream.on('end', () => { answer.ended = true; });
    stream.on('error', (error) => { answer.error = error; });
    stream.end();
    return answer;
  };
  const [flying, idle, used, young] = [await connect(), await connect(), await connect(), await connect()];
  const held = get(flying, '/stream');
  await until('begin', () => held.body === 'begin ');
  for (const session of [idle, used]) {
    const first = get(session, '/');
    await until('first answer', () => first.ended);
  }
  worker.frame(LINGER);
  await worker.ping();
  const newborn = await connect();
  worker.disconnect();
  await worker.ping();
  const all = [flying, idle, used, young, newborn];
  const answers = [get(used, '/'), get(young, '/'), get(newborn, '/')]; // no GOAWAY yet: served
  await until('answers', () => answers.every((answer) => answer.ended || answer.error));
  for (const { status, body, error } of answers) assert.deepStrictEqual([status, body, error], [200, 'ok', undefined]);
  await until('GOAWAY', () => all.every((session) => session.goawayAt));
  const took = assertLingered(idle.goawayAt, worker.drainedAt);
  assert(used.goawayAt < idle.goawayAt, 'GOAWAY comes with the next stream');
  assert(!held.ended && !flying.closedAt);
  worker.release();
  await until('all closed', () => all.every((session) => session.closedAt));
  assert.deepStrictEqual([held.status, held.body, held.error], [200, 'begin end', undefined]);
  for (const session of all) assert.deepStrictEqual([session.code, session.errors], [0, []]);
  await worker.gone();
  return took;
}
scenarios['http2 over TLS: streams in flight finish'] = async () => {
  const worker = await http({ PROTO: 'h2', TLS_DIR: certificateDir() });
  return http2Scenario(worker, `https://127.0.0.1:${worker.port}`);
};
scenarios['http2 in clear: streams in flight finish'] = async () => {
  const worker = await http({ PROTO: 'h2c' });
  return http2Scenario(worker, `http://127.0.0.1:${worker.port}`);
};
scenarios['http2: a session that outlasts the drain timeout is closed'] = async () => {
  const worker = await http({ PROTO: 'h2', TLS_DIR: certificateDir() });
  const session = http2.connect(`https://127.0.0.1:${worker.port}`, { rejectUnauthorized: false, servername: 'localhost' });
  let body = '';
  const stream = session.request({ ':path': '/stream' });
  stream.on('data', (data) => { body += data; }).on('error', () => {});
  session.on('error', () => {});
  await until('begin', () => body.length);
  worker.drain(LINGER);
  await worker.ping();
  assert(!session.closed && !worker.disconnectedAt);
  worker.hangUp();
  await until('end of the session', () => session.closed || session.destroyed);
  await worker.gone();
};
scenarios['http2 with allowHTTP1: its HTTP/1 clients'] = async () => {
  const worker = await http({ PROTO: 'h2', TLS_DIR: certificateDir() });
  const [idle, busy] = [await idleCompanion(worker, SECURE), await idleCompanion(worker, SECURE)];
  worker.drain(LINGER);
  await worker.ping();
  saysClose(await busy.get('/'));
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['disconnect without a drain frame: linger 500'] = async () => {
  const worker = await http();
  const [idle, busy] = [await idleCompanion(worker), await idleCompanion(worker)];
  worker.disconnect();
  await worker.ping();
  saysClose(await busy.get('/'));
  const took = assertLingered(await idle.fin(), worker.drainedAt, 500);
  await worker.gone();
  return took;
};

scenarios['app that closes its server on shutdown'] = async () => {
  const worker = await http({ CLOSE_ON_SHUTDOWN: 1 });
  const [idle, busy] = [await idleCompanion(worker), await idleCompanion(worker)];
  worker.frame(LINGER);
  worker.worker.send('shutdown');
  await until('shutdown seen', () => worker.seenByApp().includes('shutdown'));
  saysClose(await busy.get('/'));
  worker.disconnect();
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['the channel stays open until an app that closed its server has answered'] = async () => {
  const worker = await http({ CLOSE_ON_SHUTDOWN: 1 });
  const client = await Client.open(worker.port);
  client.send('/hold');
  await worker.ping();
  worker.frame(LINGER);
  worker.worker.send('shutdown');
  await until('shutdown seen', () => worker.seenByApp().includes('shutdown'));
  worker.disconnect();
  await worker.ping();
  worker.release();
  assert.strictEqual((await client.next()).body, 'held');
  await worker.gone();
};

scenarios['app without timers or message listeners exits by itself'] = async () => {
  const worker = await http({ NO_MESSAGES: 1 });
  const client = await idleCompanion(worker);
  worker.drain(LINGER);
  await client.fin();
  await worker.gone();
  return `${Math.round(worker.exitedAt - client.finAt)} ms after the FIN`;
};

scenarios['ES module app'] = async () => {
  const worker = await start(app('app.mjs')).listening();
  const [idle, busy] = [await idleCompanion(worker), await idleCompanion(worker)];
  worker.drain(LINGER);
  await worker.ping();
  const answer = await busy.get('/');
  assert.strictEqual(answer.body, 'esm');
  saysClose(answer);
  const took = assertLingered(await idle.fin(), worker.drainedAt);
  await worker.gone();
  return took;
};

scenarios['the app sees nothing of the agent'] = async () => {
  const seen = async (env, agent) => {
    const worker = start(app('mirror.cjs'), env, agent);
    const mirror = await until('mirror', () => worker.messages[0]);
    worker.disconnect();
    await worker.gone();
    return mirror;
  };
  const withAgent = await seen();
  assert.strictEqual(withAgent.active, 'yes');
  const without = await seen({}, false);
  assert.strictEqual(without.active, 'no');
  assert.deepStrictEqual(withAgent.listeners, without.listeners);
  assert.deepStrictEqual(withAgent.env, without.env);
  assert.strictEqual(withAgent.globals, without.globals);

  const worker = await http();
  worker.drain(0);
  await worker.gone();
  assert.deepStrictEqual(worker.seenByApp(), ['shutdown', { cmd: 'CLUSTER_CONTROL_shutdown' }]);
};

scenarios['says hello once, and nothing of a listen through the primary'] = async () => {
  const worker = await http();
  await worker.ping();
  assert.deepStrictEqual(worker.agentMessages(), [{ cmd: 'NODE_SLC', act: 'hello', version: '1.3.0' }]);
  worker.drain(0);
  await worker.gone();
};

const pongs = (worker) => worker.agentMessages('pong');

scenarios['answers a ping as soon as the event loop turns, unseen by the app'] = async () => {
  const worker = await http();
  worker.askAgent();
  const [pong] = await until('pong', () => pongs(worker).length && pongs(worker));
  assert.deepStrictEqual(pong, { cmd: 'NODE_SLC', act: 'pong', debugged: false });
  const client = await Client.open(worker.port);
  const answered = client.send('/block', { headers: { 'x-ms': 600 } }).next();
  await until('blocking', () => worker.messages.includes('blocking'));
  const asked = now();
  worker.askAgent();
  await until('pong', () => pongs(worker).length > 1);
  const took = Math.round(now() - asked);
  assert(took >= 500 - longestStall(), `answered within ${took} ms while the loop stood still`);
  await answered;
  // An order it does not know is no order to drain.
  worker.worker.process.send({ cmd: 'NODE_SLC', act: 'of a later version' });
  await worker.ping();
  saysKeepAlive(await client.get('/'));
  assert.deepStrictEqual(worker.seenByApp(), []);
  worker.drain(0);
  await worker.gone();
  return `${took} ms`;
};

scenarios['says so when a debugger may hold it'] = async () => {
  const worker = await http({ INSPECT: 1 });
  worker.askAgent();
  await until('pong', () => pongs(worker).length);
  assert.strictEqual(pongs(worker)[0].debugged, true);
  worker.worker.process.kill('SIGKILL');
  await until('exit', () => worker.exit);
};

async function ownListen(env, check) {
  const worker = start(app('app.cjs'), env);
  const message = await until('listening report', () => worker.agentMessages('listening')[0] || worker.exit);
  check(message);
  assert.strictEqual(worker.port, 0, 'the primary does not know');
  const client = await (message.port > 0 ? idleCompanion(message) : null);
  worker.drain(LINGER);
  if (client) assertLingered(await client.fin(), worker.drainedAt);
  await worker.gone();
  assert.strictEqual(worker.agentMessages('listening').length, 1);
}
scenarios['exclusive listen is reported and drained'] = async () => {
  await ownListen({ EXCLUSIVE: 1 }, ({ address, port }) => assert(address === '127.0.0.1' && port > 0));
  const file = path.join(os.tmpdir(), `slc-agent-${process.pid}.sock`);
  await ownListen({ EXCLUSIVE: 1, UNIX_PATH: file }, ({ address, port }) => assert(address === file && port === -1));
};
scenarios['reusePort listen is reported and drained'] = async () => {
  if (MAJOR < 22) return 'not a feature of this version';
  return ownListen({ REUSE_PORT: 1 }, ({ address, port }) => assert(address === '127.0.0.1' && port > 0));
};

// What a spare binds by itself waits for its slot; the app sees no difference but in time.
async function spareListens(env) {
  const worker = start(app('app.cjs'), { SLC_SPARE: 1, SLC_SLOT: 7, ...env });
  await until('parked', () => worker.agentMessages('parked')[0] || worker.exit);
  await worker.ping();
  assert.strictEqual(worker.agentMessages('listening').length, 0);
  worker.worker.process.send({ cmd: 'NODE_SLC', act: 'promote', slot: 3 });
  const message = await until('listening report', () => worker.agentMessages('listening')[0] || worker.exit);
  const client = await idleCompanion(message);
  const answer = await client.get('/slot');
  assert.strictEqual(answer.body, '3 3 undefined');
  worker.drain(LINGER);
  await client.fin();
  await worker.gone();
}
scenarios['a spare that binds by itself does so when it has a slot'] = () => spareListens({ EXCLUSIVE: 1 });
scenarios['a spare that shares a port by itself does so when it has a slot'] = async () => {
  if (MAJOR < 22) return 'not a feature of this version';
  return spareListens({ REUSE_PORT: 1 });
};
scenarios['what a spare has closed before it had a slot does not listen'] = async () => {
  const worker = start(app('app.cjs'), { SLC_SPARE: 1, EXCLUSIVE: 1, CLOSE_ON_SHUTDOWN: 1 });
  await until('parked', () => worker.agentMessages('parked')[0] || worker.exit);
  worker.worker.send('shutdown');
  await worker.ping();
  worker.worker.process.send({ cmd: 'NODE_SLC', act: 'promote', slot: 0 });
  await worker.ping();
  assert.strictEqual(worker.agentMessages('listening').length, 0);
  worker.drain(0);
  await worker.gone();
};

const HAS_CACHE = Boolean(require('module').enableCompileCache);
async function cached(temp, env = {}) {
  const worker = await http({ TMPDIR: temp, SLC_COMPILE_CACHE: 1, ...env });
  const answer = await (await Client.open(worker.port)).get('/cache');
  worker.drain(0);
  await worker.gone();
  return answer.body;
}
const tempFolder = (mode = 0o700) => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'slc-agent-')));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  fs.chmodSync(folder, mode);
  return folder;
};
scenarios['compiled code is kept in a folder of our own'] = async () => {
  const temp = tempFolder();
  const own = path.join(temp, `slc-code-${process.geteuid()}`);
  const told = await cached(temp);
  if (!HAS_CACHE) return assert.strictEqual(told, 'none undefined');
  assert(told.startsWith(`${own}/`) && told.endsWith(' undefined'), told);
  assert.strictEqual(fs.statSync(own).mode & 0o777, 0o700);
  const [folder] = fs.readdirSync(own);
  assert(fs.readdirSync(path.join(own, folder)).length > 0, 'written by a worker that ends');
  assert.strictEqual(await cached(temp), told, 'and used again');
};
scenarios['compiled code is not taken from where others may write'] = async () => {
  if (!HAS_CACHE) return 'not a feature of this version';
  assert.strictEqual(await cached(tempFolder(0o777)), 'none undefined');
  assert.match(await cached(tempFolder(0o1777)), /slc-code/);
  const temp = tempFolder();
  const own = path.join(temp, `slc-code-${process.geteuid()}`);
  fs.symlinkSync(tempFolder(), own);
  assert.strictEqual(await cached(temp), 'none undefined');
  fs.unlinkSync(own);
  fs.mkdirSync(own);
  fs.chmodSync(own, 0o770);
  assert.strictEqual(await cached(temp), 'none undefined');
};
scenarios['the compile cache of the app is left alone'] = async () => {
  if (!HAS_CACHE) return 'not a feature of this version';
  const theirs = tempFolder();
  const told = await cached(tempFolder(), { NODE_COMPILE_CACHE: theirs });
  assert(told.startsWith(theirs), told);
  assert.strictEqual(await cached(tempFolder(), { NODE_DISABLE_COMPILE_CACHE: 1 }), 'none undefined');
  assert.strictEqual(await cached(tempFolder(), { SLC_COMPILE_CACHE: '' }), 'none undefined');
};

scenarios['inactive in a worker thread'] = async () => {
  const worker = start(app('mirror.cjs'), { MIRROR: 'thread' });
  const seen = await until('thread', () => worker.messages[0]);
  assert.strictEqual(seen.active, 'no');
  assert.strictEqual(worker.agentMessages('hello').length, 1);
  worker.disconnect();
  await worker.gone();
};

scenarios["inactive in the app's forked children, which inherit --require"] = async () => {
  const worker = start(app('mirror.cjs'), { MIRROR: 'fork' });
  const { code, out } = await until('child', () => worker.messages[0]);
  assert.strictEqual(code, 0);
  assert.strictEqual(JSON.parse(out).active, 'no');
  worker.disconnect();
  await worker.gone();
};

scenarios['inactive outside of a cluster, and the process exits'] = async () => {
  const mirror = app('mirror.cjs');
  const env = { ...process.env, MIRROR: 'print' };
  const run = (args) => new Promise((resolve, reject) => {
    const done = (error, stdout, stderr) => (error ? reject(error) : resolve(stdout + stderr));
    execFile(process.execPath, args, { env, timeout: 5000 }, done);
  });
  const plain = JSON.parse(await run([mirror]));
  assert.deepStrictEqual(JSON.parse(await run(['--require', AGENT, mirror])), plain);
  assert.strictEqual(plain.active, 'no');
  const child = fork(mirror, { execArgv: ['--require', AGENT], env, silent: true });
  let out = '';
  const internal = [];
  child.stdout.on('data', (data) => { out += data; });
  child.on('internalMessage', (message) => internal.push(message));
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.deepStrictEqual([code, JSON.parse(out).active, internal], [0, 'no', []]);
};

// --- what a worker shows of itself

const inspected = async (worker, what, more) => {
  const { answer } = await worker.ask(what, more);
  assert.strictEqual(answer.error, undefined, `${what}: ${answer.error}`);
  return answer;
};
const fetched = async (worker, what, more) => {
  const { answer, reader } = await worker.ask(what, { result: true, ...more });
  assert.strictEqual(answer.error, undefined, `${what}: ${answer.error}`);
  const result = await readResult(reader);
  assert.strictEqual(result.error, null);
  assert(result.whole, 'no end mark');
  return result;
};
const refused = async (worker, what, why, more) => {
  const { answer, reader } = await worker.ask(what, more);
  assert.match(String(answer.error), why);
  if (reader) assert.strictEqual((await readResult(reader)).bytes.length, 0);
};

scenarios['a CPU profile names the function that is hot'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  await refused(worker, 'cpu-stop', /not being profiled/, { result: true });
  await inspected(worker, 'cpu-start', { interval: 500 });
  assert(worker.inspection().profiling > 0);
  for (let i = 0; i < 5; i++) await client.get('/hot');
  const { nodes, samples, timeDeltas, startTime, endTime } = JSON.parse((await fetched(worker, 'cpu-stop')).text());
  assert.strictEqual(samples.length, timeDeltas.length);
  assert(startTime < endTime);
  const hot = nodes.filter((node) => node.callFrame.functionName === 'burnCpu').map((node) => node.id);
  const share = samples.filter((id) => hot.includes(id)).length / samples.length;
  assert(share > 0.1, `burnCpu has ${share} of the samples`);
  await until('state', () => worker.inspection().profiling === 0);
  worker.drain(LINGER);
  await worker.gone();
};

scenarios['one profile at a time, and the same question again is no second one'] = async () => {
  const worker = await http();
  await inspected(worker, 'cpu-start', { interval: 1000, request: 'mine', by: 'uid 7' });
  await inspected(worker, 'cpu-start', { interval: 1000, request: 'mine', by: 'uid 7' });
  await refused(worker, 'cpu-start', /since 2\d\d\d-.* by uid 7$/, { interval: 1000, request: 'yours' });
  await fetched(worker, 'cpu-stop');
  await inspected(worker, 'cpu-start', { interval: 1000, request: 'yours' });
  worker.drain(LINGER); // with the profile under way
  await worker.gone();
};

scenarios['a profile that nobody has read is not lost, and comes again for the same question'] = async () => {
  const worker = await http();
  await inspected(worker, 'cpu-start', { interval: 1000 });
  await worker.ask('cpu-stop', { result: true, unread: true });
  await until('it to be put back', () => worker.agentMessages('inspection').filter((m) => m.profiling).length > 1);
  const first = (await fetched(worker, 'cpu-stop', { request: 'mine' })).text();
  assert(JSON.parse(first).samples);
  assert.strictEqual((await fetched(worker, 'cpu-stop', { request: 'mine' })).text(), first);
  await refused(worker, 'cpu-stop', /not being profiled/, { result: true, request: 'yours' });
};

scenarios['a heap snapshot is whole'] = async () => {
  const worker = await http();
  const { snapshot, nodes, strings } = JSON.parse((await fetched(worker, 'heap-snapshot')).text());
  assert.deepStrictEqual(worker.agentMessages('standstill').map((m) => m.what), ['heap-snapshot']);
  assert.strictEqual(nodes.length, snapshot.node_count * snapshot.meta.node_fields.length);
  assert(strings.includes('burnCpu'));
  worker.drain(LINGER);
  await worker.gone();
  return `${snapshot.node_count} nodes`;
};

scenarios['a reader that is slow gets its snapshot, and holds the app for two seconds at most'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  let began = now();
  await fetched(worker, 'heap-snapshot');
  const most = now() - began + 2000;
  began = now();
  const { answer, reader } = await worker.ask('heap-snapshot', { result: true });
  assert.strictEqual(answer.error, undefined);
  await client.get('/'); // nothing was read yet, and the event loop turns
  const took = now() - began;
  assert(took < most + 1000 + longestStall(), `${took} ms, of at most ${most}`);
  const result = await readResult(reader);
  assert(result.whole);
  JSON.parse(result.text());
};

scenarios['a reader that goes away disturbs nobody'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  const { reader } = await worker.ask('heap-snapshot', { result: true });
  reader.destroy();
  await client.get('/');
  await fetched(worker, 'heap-snapshot');
  client.close();
  worker.drain(LINGER);
  await worker.gone();
};

scenarios['objects are counted by class, and what grew is told'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  await refused(worker, 'objects-stop', /not being tracked/, { result: true });
  const begun = JSON.parse((await fetched(worker, 'objects-start')).text());
  assert(begun.objects > 1000);
  await refused(worker, 'objects-start', /tracked already, since .* by uid 0/, { result: true });
  await until('state', () => worker.inspection().tracking > 0);
  for (let i = 0; i < 3; i++) await client.get('/leak');
  const { classes, since, paused_ms: paused } = JSON.parse((await fetched(worker, 'objects-stop')).text());
  assert.strictEqual(since, begun.since);
  assert.strictEqual(classes.Leaked.count, 3000);
  assert(classes.Leaked.size >= 3000 * 24 && classes.Leaked.size < 3000 * 200, String(classes.Leaked.size));
  const most = Object.entries(classes).sort(([, a], [, b]) => b.size - a.size)[0][0];
  assert.strictEqual(most, 'Leaked');
  await until('state', () => worker.inspection().tracking === 0);
  assert(!worker.output, worker.output); // no getter or trap of the app was called
  return `paused ${paused} ms`;
};

scenarios['counts that nobody has read are not lost, and come again for the same question'] = async () => {
  const worker = await http();
  const client = await Client.open(worker.port);
  await fetched(worker, 'objects-start');
  await client.get('/leak');
  await worker.ask('objects-stop', { result: true, unread: true });
  await until('it to be put back', () => worker.agentMessages('inspection').filter((m) => m.tracking).length > 1);
  for (let i = 0; i < 2; i++) {
    const { classes } = JSON.parse((await fetched(worker, 'objects-stop', { request: 'mine' })).text());
    assert.strictEqual(classes.Leaked.count, 1000);
  }
  await refused(worker, 'objects-stop', /not being tracked/, { result: true, request: 'yours' });
};

const askDebugger = (port, about) => new Promise((resolve, reject) => {
  require('http').get({ port, host: '127.0.0.1', path: `/json/${about}` }, (response) => {
    let body = '';
    response.on('data', (data) => { body += data; }).on('end', () => resolve(JSON.parse(body)));
  }).on('error', reject);
});
const versionOf = (port) => askDebugger(port, 'version');
// Somebody debugs it, and answers when the other side wants to close: Node waits for that. One that is mute does not.
const attach = async (port, mute = false) => {
  const [{ webSocketDebuggerUrl: url }] = await askDebugger(port, 'list');
  const client = await Client.open(port);
  const headers = {
    Host: '127.0.0.1', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': 13,
    'Sec-WebSocket-Key': 'c2xjIHRlc3RzIHRoYXQu',
  };
  assert.strictEqual((await client.get(new URL(url).pathname, { headers })).status, 101);
  if (!mute) client.socket.on('data', ([opcode]) => { if (opcode === 0x88) client.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0])); });
};

scenarios['the debugger opens on loopback, and is gone when closed, or when the worker drains'] = async () => {
  const worker = await http();
  await refused(worker, 'dbg-stop', /not open/);
  const { host, port } = await inspected(worker, 'dbg-start');
  assert.deepStrictEqual([host, worker.inspection().host], ['127.0.0.1', '127.0.0.1']);
  assert.match((await versionOf(port)).Browser, /^node\.js\//);
  assert.strictEqual((await inspected(worker, 'dbg-start')).port, port);
  assert.strictEqual(worker.inspection().debugger, port);
  await inspected(worker, 'dbg-stop');
  assert.strictEqual(worker.inspection().debugger, 0);
  // It is answered before it is done: a client that does not let go holds the event loop.
  let refusal;
  await until('refused', () => { versionOf(port).catch((error) => { refusal = error; }); return refusal; });
  assert.match(String(refusal), /ECONNREFUSED/);
  const { port: again } = await inspected(worker, 'dbg-start');
  await attach(again); // Node would wait for who debugs it
  worker.drain(LINGER);
  await until('end', () => worker.exit);
  assert.deepStrictEqual(worker.exit, { code: 0, signal: null });
};

scenarios['a worker that somebody debugs ends when it exits or crashes'] = async () => {
  for (const [path, code] of [['/exit', 3], ['/crash', 1]]) {
    const worker = await http();
    const { port } = await inspected(worker, 'dbg-start');
    // Before 22 Node waits for a client that is mute, whatever is done.
    await attach(port, parseInt(process.versions.node, 10) >= 22);
    const client = await Client.open(worker.port);
    client.get(path).catch(() => {});
    await until('end', () => worker.exit);
    assert.deepStrictEqual(worker.exit, { code, signal: null });
  }
};

scenarios['a worker without descriptors says so of its own question, and Node is silent about it'] = async () => {
  const worker = await http();
  await refused(worker, 'heap-snapshot', /too many files open/, { lost: true });
  await worker.ping();
  assert.strictEqual(worker.internal.filter((m) => m.cmd === 'NODE_HANDLE_NACK').length, 0);
  await fetched(worker, 'heap-snapshot');
  worker.drain(LINGER);
  await worker.gone();
};

scenarios['what is loaded late is of the same slc, or it is said what to do'] = async () => {
  const folder = tempFolder();
  for (const file of ['agent.cjs', 'inspect.cjs']) fs.copyFileSync(path.join(path.dirname(AGENT), file), path.join(folder, file));
  const agent = path.join(folder, 'agent.cjs');
  const looks = path.join(folder, 'inspect.cjs');
  const worker = await http({}, agent);
  fs.writeFileSync(looks, fs.readFileSync(looks, 'utf8').replace(/version = '.*'/, "version = '9.9.9'"));
  await refused(worker, 'cpu-start', /exchanged .*installed is 9\.9\.9.*soft-restart/, { interval: 1000 });
  const other = await http({}, agent);
  fs.unlinkSync(looks);
  await refused(other, 'heap-snapshot', /exchanged .*installed is another.*soft-restart/, { result: true });
};

scenarios['a ping with a number is answered behind what came before'] = async () => {
  const worker = await http();
  worker.askAgent(7);
  const pong = await until('answer', () => worker.agentMessages('pong')[0]);
  assert.deepStrictEqual([pong.id, pong.debugged], [7, false]);
};

scenarios['what nobody waits for, is not known, or has no socket is refused'] = async () => {
  const worker = await http();
  await refused(worker, 'cpu-start', /nobody waits/, { interval: 1000, deadline: 1 });
  await refused(worker, 'cpu-dance', /does not know 'cpu-dance'/);
  await refused(worker, 'heap-snapshot', /no descriptor/);
  worker.drain(LINGER);
  await worker.gone();
};

module.exports = scenarios;

if (require.main === module) {
  const [name] = process.argv.slice(2);
  if (name === '--list') {
    console.log(JSON.stringify(Object.keys(scenarios)));
  } else {
    scenarios[name]().then((detail) => {
      if (detail) console.log(detail);
      process.exit(0);
    }, (error) => {
      console.log(error.stack);
      process.exit(1);
    });
  }
}
