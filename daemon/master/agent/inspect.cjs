'use strict';
// What a worker can be asked to show of itself: CPU profile, heap snapshot, counts of objects, debugger. Loaded by
// agent.cjs with the first question, so that a worker nobody looks into pays nothing. Talks to V8 in this process
// (inspector.Session): no port, but for the debugger's.
//
// A question has `id`, `what`, `until` (process.hrtime, ms: nobody waits for the answer any more), `by` (who asks, for
// people) and `request` (the same question may come twice). Each is answered once, at once: `inspected`, with `error` if
// it is refused. What is large or takes long follows on a socket of its own that came with the question, in the frames
// of common/wire/result_stream.h. `inspection` tells what goes on, whenever that has changed; `standstill`, that the
// event loop stands still from now on.

const fs = require('fs');
const { Socket } = require('net');
const { clearImmediate, clearTimeout, setImmediate, setTimeout } = require('timers');

const CHUNK = 256 * 1024; // of a result
const ONCE_MORE = 60e3; // ms: so long a profile that was taken is there for who asks again
const MOST_SAMPLES = 2e6; // a profile that nobody fetches: 33 minutes at 1 ms, some 100 MB in V8
// A snapshot is written while V8 makes it, so that its text (a tenth of what V8 needs besides) never is in memory as a
// whole. For who does not keep up the event loop waits this long in all; the rest then stays here until it is fetched.
const MOST_STALL = 2000; // ms
const NAP = 2; // ms
// When the debugger is closed, since Node would wait for who is attached. From 22 on it does not wait at 'exit', but
// would in close().
const ENDS = parseInt(process.versions.node, 10) < 22 ? ['disconnect', 'exit'] : ['disconnect'];

const hrtime = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const clock = (ms) => new Date(ms).toISOString();

module.exports = (tell) => {
  let profile = null; // {post, since, by, request, timer, result}
  let taken = null; // the last one that was taken, and `for` which question
  let tracking = null; // {since, by, request, counted}
  let compared = null; // the last with which was compared, and `for` which question
  let closing = null; // the debugger is about to be

  const inspector = () => {
    try { return require('inspector'); } catch { throw new Error('this build of Node has no inspector'); }
  };
  const debuggerAt = () => { // the app may have opened it itself, and elsewhere than we would
    const url = !closing && inspector().url();
    if (!url) return { port: 0 };
    const { hostname, port } = new URL(url);
    return { host: hostname.replace(/[[\]]/g, ''), port: Number(port) || 80 }; // of ws: that is left out
  };
  const tellState = () => {
    const { host, port } = debuggerAt();
    tell({
      act: 'inspection',
      profiling: profile ? profile.since : 0,
      tracking: tracking ? tracking.since : 0,
      debugger: port,
      host,
    });
  };

  // The methods of a session on this thread are done when post() returns.
  function open() {
    const session = new (inspector().Session)();
    session.connect();
    return (method, parameters) => {
      if (!method) return session.disconnect();
      let [failure, result] = [null, null];
      session.post(method, parameters, (error, value) => { failure = error; result = value; });
      if (failure) throw new Error(`${method}: ${failure.message}`);
      return result;
    };
  }

  // --- CPU profile
  function startProfile({ interval, by, request }) {
    if (profile && profile.request === request) return;
    if (profile) throw new Error(`it is being profiled already, since ${clock(profile.since)} by ${profile.by}`);
    const post = open();
    try {
      post('Profiler.enable');
      post('Profiler.setSamplingInterval', { interval });
      post('Profiler.start');
    } catch (error) {
      post();
      throw error;
    }
    profile = { post, since: Date.now(), by, request, result: null };
    const mine = profile;
    mine.timer = setTimeout(() => {
      tell({ act: 'standstill', what: 'cpu-stop' });
      try { mine.result = endProfile(mine); } catch { /* who fetches it is told */ }
    }, MOST_SAMPLES * interval / 1000);
    mine.timer.unref();
  }

  function endProfile({ post }) {
    const { profile: result } = post('Profiler.stop');
    post('Profiler.disable');
    post();
    return result;
  }

  function* takeProfile(mine, request) {
    if (profile === mine) profile = null;
    clearTimeout(mine.timer);
    try { mine.result = mine.result || endProfile(mine); } finally { tellState(); }
    // The same question comes again when slcd ended before it could pass the answer on.
    taken = mine;
    mine.for = request;
    mine.timer = setTimeout(() => { if (taken === mine) taken = null; }, ONCE_MORE);
    mine.timer.unref();
    const { samples, timeDeltas, ...head } = mine.result;
    // Arrays of millions of numbers go in pieces.
    yield JSON.stringify(head).slice(0, -1);
    for (const [name, numbers] of [['samples', samples], ['timeDeltas', timeDeltas]]) {
      yield `,"${name}":[`;
      for (let i = 0; i < numbers.length; i += 10000) yield (i ? ',' : '') + numbers.slice(i, i + 10000).join();
      yield ']';
    }
    yield '}';
  }

  // Nobody has read it to its end: the next one may.
  function putBackProfile(mine) {
    if (profile || !mine.result) return;
    clearTimeout(mine.timer);
    taken = null;
    profile = mine;
    tellState();
  }

  // --- heap snapshot
  function writeSnapshot(out) {
    const snapshot = require('v8').getHeapSnapshot();
    // V8 hands its text over within one call of read(), however large it is; as a stream it would all be kept.
    snapshot.push = (chunk) => {
      if (chunk) out.put(chunk);
      return true;
    };
    snapshot.read(0);
  }

  // --- counts of objects
  // By the name of what made them. Sizes are estimated from the properties of some of each class: V8 tells them in a
  // heap snapshot only, which takes many times as long and up to twenty times the memory of the heap. Runs in the page's world of V8's
  // debugger, on an array of all objects there are: no getter, trap or method of the app may be called.
  function count() {
    const SAMPLED = 32;
    const { getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf } = Object;
    const isView = ArrayBuffer.isView;
    const classes = new Map(); // prototype -> {count, sampled, properties, bytes}
    for (let i = 0; i < this.length; i++) {
      const object = this[i];
      const prototype = getPrototypeOf(object);
      let entry = classes.get(prototype);
      if (!entry) classes.set(prototype, entry = { count: 0, sampled: 0, properties: 0, bytes: 0 });
      entry.count++;
      if (Array.isArray(object)) {
        entry.bytes += 8 * object.length;
      } else if (prototype === ArrayBuffer.prototype) {
        try { entry.bytes += object.byteLength; } catch { /* it only looks like one */ }
      } else if (!isView(object) && (entry.count <= SAMPLED || entry.count % 1024 === 0)) {
        entry.sampled++;
        entry.properties += getOwnPropertyNames(object).length;
      }
    }
    // A constructor may be a proxy of the app, of which even that may throw.
    const valueOf = (object, name) => {
      try { return (getOwnPropertyDescriptor(object, name) || {}).value; } catch { return undefined; }
    };
    const named = {};
    for (const [prototype, { count: all, sampled, properties, bytes }] of classes) {
      const maker = valueOf(prototype, 'constructor');
      const name = typeof maker === 'function' ? valueOf(maker, 'name') : undefined;
      const key = `${typeof name === 'string' && name ? name : '(anonymous)'}`.slice(0, 200)
        .replace(/\p{Surrogate}/gu, '\ufffd'); // half a pair is no text for others
      const entry = named[`.${key}`] || (named[`.${key}`] = [0, 0]);
      entry[0] += all;
      entry[1] += bytes + all * 24 + Math.round(sampled ? all * properties / sampled : 0) * 8;
    }
    return JSON.stringify(named);
  }

  function countObjects() {
    const began = hrtime();
    const post = open();
    try {
      const objectGroup = 'slc';
      const { result } = post('Runtime.evaluate', { expression: 'Object.prototype', objectGroup });
      const { objects } = post('Runtime.queryObjects', { prototypeObjectId: result.objectId, objectGroup });
      const { result: counted, exceptionDetails } = post('Runtime.callFunctionOn', {
        objectId: objects.objectId, functionDeclaration: String(count), returnByValue: true,
      });
      if (exceptionDetails) throw new Error(exceptionDetails.exception.description || exceptionDetails.text);
      post('Runtime.releaseObjectGroup', { objectGroup });
      return { counted: counted.value, paused: Math.round(hrtime() - began) };
    } finally {
      post();
    }
  }
  const parse = (counted) => {
    const classes = new Map(Object.entries(JSON.parse(counted)).map(([key, pair]) => [key.slice(1), pair]));
    let objects = 0;
    for (const [many] of classes.values()) objects += many;
    return { classes, objects };
  };

  function* startTracking({ by, request }) {
    const { counted, paused } = countObjects();
    // As a text: objects of ours would be counted among the app's.
    tracking = { since: Date.now(), by, request, counted };
    tellState();
    yield JSON.stringify({ since: tracking.since, paused_ms: paused, objects: parse(counted).objects });
  }

  // What there is of each class of which there is more or less than before.
  function* stopTracking(mine, request) {
    const { counted, paused } = countObjects();
    const { classes, objects } = parse(counted);
    const { since } = mine;
    const before = parse(mine.counted).classes;
    if (tracking === mine) tracking = null;
    tellState();
    // As with a profile: the same question may come again.
    compared = mine;
    mine.for = request;
    clearTimeout(mine.timer);
    mine.timer = setTimeout(() => { if (compared === mine) compared = null; }, ONCE_MORE);
    mine.timer.unref();
    yield `${JSON.stringify({ since, until: Date.now(), paused_ms: paused, objects }).slice(0, -1)},"classes":{`;
    let separator = '';
    for (const name of new Set([...classes.keys(), ...before.keys()])) {
      const [total, totalSize] = classes.get(name) || [0, 0];
      const [count0, size0] = before.get(name) || [0, 0];
      if (total === count0 && totalSize === size0) continue;
      const entry = { count: total - count0, size: totalSize - size0, total, total_size: totalSize };
      yield `${separator}${JSON.stringify(name)}:${JSON.stringify(entry)}`;
      separator = ',';
    }
    yield '}}';
  }

  function putBackTracking(mine) {
    if (tracking) return;
    clearTimeout(mine.timer);
    compared = null;
    tracking = mine;
    tellState();
  }

  // --- debugger
  function openDebugger() {
    if (closing) closing = clearImmediate(closing) || null;
    if (debuggerAt().port) return;
    inspector().open(0, '127.0.0.1');
    for (const end of ENDS) process.once(end, closeDebugger);
  }
  // The event loop stands still until whoever is attached has let go, which may be never: what is to be said is said
  // before.
  function closeDebugger() {
    closing = null;
    for (const end of ENDS) process.removeListener(end, closeDebugger);
    if (debuggerAt().port) inspector().close();
  }

  // --- results
  const mark = (length, failed) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(failed ? (length | 0x80000000) >>> 0 : length);
    return head;
  };

  class Result {
    constructor(handle) {
      this.fd = handle.fd;
      this.socket = new Socket({ handle, readable: false, writable: true });
      this.socket.unref();
      this.socket.on('error', () => {}); // nobody wants it any more; written is destroyed then
      this.waiting = []; // what a sleep of MOST_STALL was not enough for
      this.stalled = 0;
      this.slept = new Int32Array(new SharedArrayBuffer(4));
    }

    // Now, while the event loop stands still. Nothing has been written by the socket yet, so that its order is ours.
    put(chunk) {
      if (this.gone) return;
      if (this.waiting.length) return void this.waiting.push(mark(chunk.length), chunk);
      const bytes = Buffer.concat([mark(chunk.length), chunk]);
      for (let at = 0; at < bytes.length;) {
        try {
          at += fs.writeSync(this.fd, bytes, at);
        } catch (error) {
          if (error.code !== 'EAGAIN') return void (this.gone = true);
          if (this.stalled >= MOST_STALL) return void this.waiting.push(bytes.subarray(at));
          const began = hrtime();
          Atomics.wait(this.slept, 0, 0, NAP);
          this.stalled += hrtime() - began;
        }
      }
    }

    async drained() {
      if (this.gone || this.socket.destroyed) throw new Error('nobody reads it');
      if (!this.socket.writableNeedDrain && this.socket.writableLength < CHUNK) return;
      await new Promise((resolve) => {
        const done = () => {
          this.socket.removeListener('drain', done);
          this.socket.removeListener('close', done);
          resolve();
        };
        this.socket.once('drain', done);
        this.socket.once('close', done);
      });
    }

    // At the reader's pace, while the event loop turns.
    async write(texts) {
      let [buffers, bytes] = [[], 0];
      const flush = async () => {
        const chunk = Buffer.concat(buffers);
        [buffers, bytes] = [[], 0];
        if (chunk.length) this.socket.write(Buffer.concat([mark(chunk.length), chunk]));
        await this.drained();
      };
      for (const text of texts) {
        buffers.push(Buffer.from(text));
        bytes += buffers[buffers.length - 1].length;
        if (bytes >= CHUNK) await flush();
      }
      await flush();
    }

    async flush() {
      while (this.waiting.length) {
        this.socket.write(this.waiting.shift());
        await this.drained();
      }
    }

    end(error) {
      if (this.gone) return this.socket.destroy();
      if (!error) return this.socket.end(mark(0));
      const text = Buffer.from(String(error.message || error)).subarray(0, 4000);
      this.socket.end(Buffer.concat([mark(text.length, true), text]));
    }

    // Whether the system has taken all of it.
    async ended() {
      if (!this.socket.destroyed && !this.socket.writableFinished) {
        await new Promise((resolve) => this.socket.once('finish', resolve).once('close', resolve));
      }
      return this.socket.writableFinished;
    }
  }

  async function deliver(out, produce) {
    try {
      const texts = produce(out);
      if (texts) await out.write(texts);
      await out.flush();
      out.end();
      if (produce.undo && !await out.ended()) produce.undo();
    } catch (error) {
      if (produce.undo) produce.undo();
      out.end(error);
    }
  }

  const refuseUnless = (held, why) => { if (!held) throw new Error(why); };
  const questions = {
    'cpu-start': (question) => startProfile(question),
    'cpu-stop': ({ request }) => {
      const mine = taken && taken.for === request ? taken : profile;
      refuseUnless(mine, 'it is not being profiled');
      return Object.assign(() => takeProfile(mine, request), { undo: () => putBackProfile(mine) });
    },
    'heap-snapshot': () => writeSnapshot,
    'objects-start': (question) => {
      refuseUnless(!tracking || tracking.request === question.request,
        tracking && `its objects are being tracked already, since ${clock(tracking.since)} by ${tracking.by}`);
      return () => startTracking(question);
    },
    'objects-stop': ({ request }) => {
      const mine = compared && compared.for === request ? compared : tracking;
      refuseUnless(mine, 'its objects are not being tracked');
      return Object.assign(() => stopTracking(mine, request), { undo: () => putBackTracking(mine) });
    },
    'dbg-start': () => openDebugger(),
    'dbg-stop': () => {
      refuseUnless(debuggerAt().port, 'its debugger is not open');
      closing = setImmediate(closeDebugger);
    },
  };

  // `handle`: the socket for the result, if the question has one.
  return (question, handle) => {
    const { id, what, until } = question;
    let produce;
    try {
      refuseUnless(hrtime() < until, 'nobody waits for the answer any more');
      refuseUnless(questions[what], `its agent does not know '${what}'`);
      inspector();
      produce = questions[what](question);
      refuseUnless(!produce || handle, 'no descriptor has come for the result');
    } catch (error) {
      if (handle) handle.close();
      return tell({ act: 'inspected', id, error: String(error.message).slice(0, 1000) });
    }
    tellState();
    tell({ act: 'inspected', id, ...debuggerAt() });
    if (!produce) return;
    tell({ act: 'standstill', what });
    deliver(new Result(handle), produce);
  };
};
module.exports.version = '1.3.0'; // of the agent that it belongs to
