'use strict';
// Preloaded by slc-master into each Node worker: `node --require agent.cjs app.js`.
// Node's own cluster `disconnect` closes the listeners but never tells busy keep-alive clients to go away, and from
// Node 19 on it destroys idle connections at once, racing with a request already in the socket buffer. Once the master
// says that the worker drains, this file does better. Until then it costs two calls and a map entry per connection and
// nothing per request: diagnostics_channel does not show TLS sockets, a wrapped emit() would cost each request.

const VERSION = '1.3.0'; // inspect.cjs and the master's kAgentVersion have the same
const TICK = 20; // ms between two looks at the connections while draining: the precision of the linger
const MOST_CACHED = 20000; // files of compiled code for one version of Node, of some KB each
const BATCH = 64; // connections closed per turn of the event loop, see closeIdle()
const guard = (fn) => (...args) => { try { return fn(...args); } catch { /* better no agent than no app */ } };

// Threads and fork()ed children inherit --require through execArgv; in a thread even reading process.connected throws.
if (require('worker_threads').isMainThread && process.connected && require('cluster').worker) {
  guard(cacheCode)();
  guard(install)();
}

// Node >= 22.1 keeps compiled code for the next process. What is in that folder is executed: it has to be ours alone.
// The app's own NODE_COMPILE_CACHE or NODE_DISABLE_COMPILE_CACHE is obeyed.
function cacheCode() {
  const fs = require('fs'), path = require('path'), nodeModule = require('module');
  const wanted = process.env.SLC_COMPILE_CACHE;
  delete process.env.SLC_COMPILE_CACHE; // no business of the app's children
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
  if (!wanted || !nodeModule.enableCompileCache || NODE_COMPILE_CACHE || NODE_DISABLE_COMPILE_CACHE) return;
  const uid = process.geteuid();
  const temp = fs.realpathSync(require('os').tmpdir());
  for (let at = temp, above; at !== above; above = at, at = path.dirname(at)) {
    const { uid: owner, mode } = fs.statSync(at);
    if ((owner !== uid && owner !== 0) || ((mode & 0o22) && !(mode & 0o1000))) return; // others could put theirs there
  }
  const folder = path.join(temp, `slc-code-${uid}`);
  try { fs.mkdirSync(folder, 0o700); } catch { /* it is there, or cannot be made */ }
  const { uid: owner, mode } = fs.lstatSync(folder);
  if (owner !== uid || (mode & 0o170077) !== 0o040000) return;
  nodeModule.enableCompileCache(folder);
  process.once('exit', guard(() => { // of an app that is released again and again each release adds its files
    const own = nodeModule.getCompileCacheDir();
    if (fs.readdirSync(own).length > MOST_CACHED) fs.rmSync(own, { recursive: true });
  }));
}

function install() {
  const { Server } = require('net');
  const { setImmediate, setInterval, setTimeout } = require('timers'); // the app may fake the global ones
  const send = process.send.bind(process);
  const own = new Set(); // servers that bound by themselves, of which cluster knows nothing
  const connections = new Map(); // net.Socket or TLSSocket -> null; while draining {bytes, since}: its last activity
  const told = new WeakSet(); // those whose client was sent `Connection: close`
  const sessions = new Set(); // HTTP/2
  let linger = 500; // ms; this one is for a `disconnect` that comes without our drain frame
  let draining = false, open = 0, leave = null; // open: sockets; leave: set when Node wants to close the channel
  let held = process.env.SLC_SPARE ? new Set() : null; // of a spare: what it would bind by itself, see promote()
  const idle = [], foreign = new Set(); // while draining: about to be closed; those without HTTP/1, e.g. WebSockets

  const tell = (fields) => process.connected && send({ cmd: 'NODE_SLC', ...fields }, () => {});

  // net calls this for every kind of listen() and keeps the name for those who wrap it. A handle that is there
  // beforehand came from the primary.
  const listen2 = Server.prototype._listen2;
  Server.prototype._listen2 = function (...args) {
    const bindsItself = !this._handle;
    if (held && bindsItself) return hold(this, args);
    listen2.apply(this, args);
    if (this._handle) onListen(this, bindsItself);
  };
  const onListen = guard((server, bindsItself) => {
    if (!server.listeners('connection').includes(onConnection)) {
      server.on('connection', onConnection);
      if (server.setSecureContext) server.on('secureConnection', onSecureConnection);
      if (server.updateSettings) server.on('session', onSession);
    }
    if (!bindsItself) return;
    own.add(server); server.once('close', () => own.delete(server));
    const at = server.address(); // a path when it is a unix socket
    tell({ act: 'listening', address: at.address || at, port: at.port || -1 });
  });
  // A spare waits in its listen() for a worker's place. Cluster's own waits for an answer of the primary; this one is
  // done by us, when the spare has the place.
  function hold(server, args) {
    const listen = () => server._listen2(...args);
    held.add(listen); server.once('close', () => held && held.delete(listen));
    tell({ act: 'parked' });
  }
  // Node writes what it has compiled when it ends, which a worker that is killed never does; in one that serves it
  // would take a tenth of a second from its clients.
  const keepCode = guard(() => require('module').flushCompileCache());
  const promote = guard((slot) => {
    process.env.SLC_SLOT = process.env.NODE_APP_INSTANCE = String(slot);
    delete process.env.SLC_SPARE;
    const waiting = held; held = null;
    for (const listen of waiting || []) listen();
  });
  const onConnection = guard((socket) => { connections.set(socket, null); open++; socket.on('close', onClose); });
  function onClose() { connections.delete(this); foreign.delete(this); if (--open === 0 && leave) leave(); }
  const onSecureConnection = guard((socket) => { connections.delete(socket._parent); onConnection(socket); });
  const onSession = guard((session) => {
    sessions.add(session); session.once('close', () => sessions.delete(session));
    if (draining) retire(session);
  });

  function drain(ms) {
    if (ms >= 0) linger = ms;
    if (draining) return; draining = true;
    setInterval(look, TICK).unref();
    // The end of the channel shall mean "drained", also when the app closed its servers itself and Node asks too early.
    const { disconnect } = process;
    process.disconnect = () => { leave = () => process.connected && disconnect.call(process); if (!open) leave(); };
    // Prototypes, not instances: a server created later, or one fed through emit('connection'), has to obey too.
    const { ServerResponse } = require('http');
    const store = ServerResponse.prototype._storeHeader;
    ServerResponse.prototype._storeHeader = function (...args) { store.apply(this, args); sayClose(this); };
    for (const socket of connections.keys()) sayClose(socket._httpMessage);
    sessions.forEach(retire);
    for (const name of ['http', 'https']) require(name).Server.prototype.closeIdleConnections = () => {};
  }

  // Works on the finished text, as an app may set or remove `Connection` in five ways. When a pipelined request waits
  // behind this one, the last answer will say it.
  const sayClose = guard((response) => {
    if (!response || !response._header || response._headerSent || response.statusCode < 200) return;
    const { socket, complete } = response.req;
    if (socket.parser && socket.parser.incoming && socket.parser.incoming !== response.req) return;
    const text = response._header.replace(/^(connection: *keep-alive *|keep-alive:.*)\r\n/gim, '');
    response._header = /^connection:.*\bclose/im.test(text) ? text : `${text.slice(0, -2)}Connection: close\r\n\r\n`;
    told.add(socket);
    if (connections.has(socket)) connections.set(socket, null); // look() shall see it afresh
    // Makes Node close after the response. Not while a body still comes in: unread bytes would make the FIN an RST,
    // which can take the answer along. Then look() closes when the request is complete.
    if (complete) response._last = true;
  });

  // GOAWAY goes with the next stream, so that a request on its way is served, or after the linger. Until then close()
  // is hidden: server.close() of Node >= 24 would send it at once.
  const retire = guard((session) => {
    const goAway = guard(() => { delete session.close; session.close(); });
    session.close = (callback) => { if (typeof callback === 'function') session.once('close', callback); };
    session.once('stream', goAway);
    setTimeout(goAway, linger).unref();
  });

  const bytesRead = (socket) => (socket._parent || socket).bytesRead; // below TLS: half a record counts
  const mark = (socket, now) => ({ bytes: bytesRead(socket), since: told.has(socket) ? -linger : now });

  // Level, not edge: no event says "idle again" on all versions, and a hook that did would cost each request.
  const look = guard(() => {
    if (idle.length) return;
    const now = process.uptime() * 1000;
    for (const [socket, seen] of connections) {
      const due = seen && now - seen.since >= linger;
      if (socket._httpMessage) connections.set(socket, null); // its end is an activity too
      else if (!seen || (due && seen.bytes !== bytesRead(socket))) connections.set(socket, mark(socket, now));
      else if (due && isIdle(socket)) idle.push(socket);
      else if (due && !socket.parser) { connections.delete(socket); foreign.add(socket); } // there may be thousands
    }
    if (idle.length) setImmediate(closeIdle);
  });

  // parser.finish() says whether we are inside a message and changes nothing; on Node 16 nothing else sees half a
  // header. A socket without Node's parser is upgraded, HTTP/2 or plain: not ours, but for the TLS handshake of https.
  function isIdle(socket) {
    const { parser, _server: server } = socket;
    if (socket.destroyed || socket.writableEnded || socket._httpMessage) return false;
    if (parser && parser.onIncoming && parser.socket === socket) return !(parser.finish() instanceof Error);
    return Boolean(!socket.encrypted && server && server.setSecureContext && 'timeout' in server);
  }

  // As an immediate: the loop has polled since look(), so a request that waited in the socket buffer has been read and
  // shows in bytesRead. In batches, because each close adds to the time since that poll.
  const closeIdle = guard(() => {
    const batch = idle.splice(0, BATCH);
    if (idle.length) setImmediate(closeIdle);
    for (const socket of batch) {
      const seen = connections.get(socket);
      if (seen && seen.bytes === bytesRead(socket) && isIdle(socket)) (socket.destroySoon || socket.end).call(socket);
    }
  });

  // The drain timeout is over. end(), not destroy(): what is written goes out, and unread bytes cause no RST.
  const hangUp = guard(() => {
    sessions.forEach((session) => session.destroy());
    for (const socket of [...connections.keys(), ...foreign]) socket.end();
  });

  const orders = {
    drain: ({ linger: ms }) => drain(ms), hangup: hangUp, keep: keepCode, promote: ({ slot }) => promote(slot),
    ping: ({ id }) => (id ? setImmediate(pong, id) : pong()), inspect: (question, handle) => inspect(question, handle),
  };
  // With an id: behind the answers to all that came before, so that those tell which connections have not come.
  const pong = guard((id) => tell({ act: 'pong', debugged: isDebugged(), id }));

  let answer = null; // of inspect.cjs
  function inspect(question, handle) {
    try {
      if (!answer) answer = loadInspect()(tell);
      answer(question, handle);
    } catch (error) {
      if (handle) handle.close();
      refuse(question, error.message);
    }
  }
  const refuse = ({ id }, why) => tell({ act: 'inspected', id, error: String(why).slice(0, 1000) });
  // What is installed may be another slc by now.
  function loadInspect() {
    const file = './inspect.cjs';
    let found = null;
    try { found = require(file); } catch (error) { if (error.code !== 'MODULE_NOT_FOUND') throw error; }
    if (found && found.version === VERSION) return found;
    throw new Error(`slc was exchanged since it started (agent ${VERSION}, installed is ` +
      `${(found && found.version) || 'another'}); slc ctl soft-restart replaces it`);
  }
  // There was no room for the descriptor that came along. Node would say so without saying of what, and its master
  // might take it for a connection: hidden from Node, which listens behind us.
  function missed(message) {
    message.cmd = 'NODE_SLC_MISSED';
    refuse(message.msg, 'it has too many files open: there is no room for the socket of the result');
  }

  // Who waits at a breakpoint does not answer, and does not hang. Some builds have no inspector.
  function isDebugged() {
    try { return require('inspector').url() !== undefined; } catch { return false; }
  }

  // Ahead of cluster's own listener. This event, unlike 'message', does not ref the channel.
  process.prependListener('internalMessage', guard((message, handle) => {
    if (message.cmd === 'NODE_SLC') return orders[message.act](message, handle);
    if (message.cmd === 'NODE_HANDLE' && !handle && message.msg.cmd === 'NODE_SLC') return missed(message);
    if (message.cmd !== 'NODE_CLUSTER' || message.act !== 'disconnect') return;
    drain();
    for (const server of own) server.close();
  }));

  tell({ act: 'hello', version: VERSION });
}
