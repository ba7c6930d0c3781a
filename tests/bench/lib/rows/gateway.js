// The HTTP side: how many looks a second, what it costs at rest, what a thousand followers and an upload need. Beside
// it StrongLoop's own API, asked for the same. Whoever answers has one core, all of it together (of slc the gateway and
// slcd), and who asks has the others.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { ask, follow } = require('../ask');
const { run, sleep, until } = require('../command');
const { contextSwitches, cpuMicros, forgetPeak, memoryKib, peakKib, processesOf } = require('../procfs');
const { sum } = require('../numbers');
const { limit } = require('../targets');

const CLIENTS = 16;
const FOLLOWERS = 1000;
const UPLOAD_MB = 100;
const FILES = 100;
const SERVER = `require('http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT);\n`;

const cpu = (pids) => sum(pids.map(cpuMicros));
const rss = (pid) => memoryKib(pid).rss / 1024;

// All threads of `pids` to the first core.
async function pin(pids) {
  for (const pid of os.cpus().length > 1 ? pids : []) await run('taskset', ['-a', '-c', '-p', '0', String(pid)]);
}

const OTHERS = os.cpus().length > 1 ? `1-${os.cpus().length - 1}` : null;

async function burst(manager, { port }, target, connections, seconds) {
  const pids = manager.apiPids();
  await pin(pids);
  const before = cpu(pids);
  const lane = await manager.world.load(seconds, { url: `http://127.0.0.1:${port}${target}`, connections }, OTHERS);
  return { rate: lane.requests_per_second, us: (cpu(pids) - before) / lane.ok };
}

const LOOKS = [
  ['list', '/api/Services', CLIENTS, ['slc', 'strong-pm']],
  ['instance', '/api/ServiceInstances/1', CLIENTS, ['slc', 'strong-pm']],
  ['status', '/v1/services/1', CLIENTS, ['slc']],
  ['alone', '/api/Services', 1, ['slc', 'strong-pm']],
];

function lookCase(world, [name, target, connections, managers]) {
  const seconds = world.quick ? 0.5 : 2;
  const kept = connections === 1 ? '1 kept connection' : `${connections} kept connections`;
  const what = `one core, GET ${target}, ${kept}`;
  return {
    id: `gateway-${name}`,
    metrics: [
      { key: 'rate', group: 'i', title: `${what}: requests`, unit: '/s', better: 'more' },
      { key: 'us', group: 'i', title: `${what}: CPU of whoever answers, a request`, unit: 'µs' },
    ],
    managers,
    rounds: world.quick ? 1 : 5,
    open: async (manager) => {
      const api = await manager.api();
      // Until the code is optimised.
      await burst(manager, api, target, connections, seconds);
      return api;
    },
    measure: (manager, api) => burst(manager, api, target, connections, seconds),
  };
}

async function idle(manager) {
  const { world } = manager;
  const { port } = await manager.api();
  await world.load(1, { url: `http://127.0.0.1:${port}/api/Services`, connections: CLIENTS, requests: 2000 });
  // Its clients have left, and what it had to do about that is done.
  await sleep(world.quick ? 3000 : 20000);
  const pid = manager.apiPids()[0];
  const switches = () => contextSwitches(pid).wakeUps;
  const before = switches();
  const seconds = world.quick ? 5 : 60;
  await sleep(seconds * 1000);
  return { rss: rss(pid), wake_ups: (switches() - before) / seconds };
}

async function followers(slc) {
  const { socketPath } = await slc.api();
  const [gateway] = slc.apiPids();
  const before = rss(gateway);
  const streams = [];
  for (let i = 0; i < FOLLOWERS; i += 50) {
    const more = Array.from({ length: 50 }, () => follow({ socketPath }, '/v1/events?follow&lines=0'));
    streams.push(...(await Promise.all(more)));
  }
  const begin = process.hrtime.bigint();
  await slc.ctl('create', 'news');
  await until('all followers have heard', () => streams.every((stream) => stream.events > 0));
  const told_ms = Number(process.hrtime.bigint() - begin) / 1e6;
  const [slcd] = slc.daemonPids();
  const figures = { rss: rss(gateway), each_kb: ((rss(gateway) - before) * 1024) / FOLLOWERS, slcd: rss(slcd), told_ms };
  for (const stream of streams) stream.end();
  return figures;
}

// An archive as `slc build` makes one, of files that cannot be compressed.
async function archive(manager, compressed) {
  const folder = path.join(manager.folder, 'package');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{"name":"upload","version":"1.0.0"}\n');
  fs.writeFileSync(path.join(folder, 'server.js'), SERVER);
  const mega = String((UPLOAD_MB * 1e6) / FILES);
  for (let i = 0; i < FILES; i += 1) {
    await run('/bin/sh', ['-c', `head -c ${mega} /dev/urandom >${path.join(folder, `part-${i}`)}`]);
  }
  const file = path.join(manager.folder, compressed ? 'upload.tgz' : 'upload.tar');
  await run('tar', [compressed ? '-czf' : '-cf', file, '-C', manager.folder, 'package']);
  return file;
}

async function upload(slc, { socketPath, file }) {
  const size = fs.statSync(file).size;
  const head = path.join(slc.folder, 'head');
  fs.writeFileSync(
    head,
    'PUT /api/Services/up/deploy/default?npm=off&canary-time=0&keep=1 HTTP/1.1\r\nHost: localhost\r\n' +
      `Accept: application/x-ndjson\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`,
  );
  const copy = path.join(slc.folder, 'copy');
  const cat = Number(await slc.run([slc.program, 'cat', file, copy]));
  fs.rmSync(copy);
  // What was written by either is not the next one's to wait for.
  await run('sync', ['-f', slc.folder]);
  const [gateway, slcd] = slc.apiPids();
  [gateway, slcd].forEach(forgetPeak);
  const unpacker = watchPeak(slc.bin);
  const begin = Date.now();
  const [took, ...answer] = (await slc.run([slc.program, 'put', socketPath, head, file])).split('\n');
  const done_s = (Date.now() - begin) / 1000;
  const lines = answer.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  if (!lines.some((line) => line.done)) throw new Error(`the upload failed: ${answer.slice(-3).join(' ')}`);
  await run('sync', ['-f', slc.folder]);
  return {
    mb_s: size / 1e6 / (Number(took) / 1e9),
    cat_mb_s: size / 1e6 / (cat / 1e9),
    part: cat / Number(took),
    done_s,
    gateway: peakKib(gateway) / 1024,
    slcd: peakKib(slcd) / 1024,
    unpack: unpacker.stop(),
  };
}

// The most that any slc-unpack of `bin` has had resident, in MB.
function watchPeak(bin) {
  let most = 0;
  const timer = setInterval(() => {
    for (const pid of processesOf(path.join(bin, 'slc-unpack'))) {
      try {
        most = Math.max(most, peakKib(pid));
      } catch {
        // ended meanwhile
      }
    }
  }, 5);
  return {
    stop: () => {
      clearInterval(timer);
      return most / 1024;
    },
  };
}

function uploadCase(world, name, compressed) {
  const what = `upload of ${UPLOAD_MB} MB, ${compressed ? '.tgz' : '.tar'}`;
  return {
    id: `gateway-upload-${name}`,
    metrics: [
      { key: 'mb_s', group: 'i', title: `${what}: taken at`, unit: 'MB/s', better: 'more' },
      { key: 'cat_mb_s', group: 'i', title: `${what}: \`cat\`, unix socket, \`cat\``, unit: 'MB/s', better: 'neither' },
      { key: 'done_s', group: 'i', title: `${what}: until it is in service, durably`, unit: 's' },
      { key: 'gateway', group: 'i', title: `${what}: the gateway at most, RSS`, unit: 'MB' },
      { key: 'slcd', group: 'i', title: `${what}: slcd at most, RSS`, unit: 'MB' },
      { key: 'unpack', group: 'i', title: `${what}: slc-unpack at most, RSS`, unit: 'MB' },
    ],
    managers: ['slc'],
    rounds: world.quick ? 1 : 5,
    open: async (slc) => {
      const api = { ...(await slc.api()), file: await archive(slc, compressed) };
      const made = await ask(api, 'POST', '/api/Services', { name: 'up' });
      if (made.status !== 200) throw new Error(made.text);
      await upload(slc, api);
      return api;
    },
    measure: upload,
  };
}

module.exports = {
  cases: (world) => [
    ...LOOKS.map((look) => lookCase(world, look)),
    {
      id: 'gateway-idle',
      metrics: [
        { key: 'rss', group: 'i', title: 'API at rest: RSS of its process', unit: 'MB' },
        { key: 'wake_ups', group: 'i', title: 'API at rest: wake-ups of its process', unit: '/s' },
      ],
      managers: ['slc', 'strong-pm'],
      rounds: 1,
      measure: idle,
    },
    {
      id: 'gateway-followers',
      metrics: [
        { key: 'rss', group: 'i', title: `${FOLLOWERS} followers of events: the gateway, RSS`, unit: 'MB' },
        { key: 'each_kb', group: 'i', title: `${FOLLOWERS} followers of events: of it for each`, unit: 'KB' },
        { key: 'slcd', group: 'i', title: `${FOLLOWERS} followers of events: slcd, RSS`, unit: 'MB' },
        {
          key: 'told_ms',
          group: 'i',
          title: `${FOLLOWERS} followers of events: from a command until all have its event`,
          unit: 'ms',
        },
      ],
      managers: ['slc'],
      rounds: world.quick ? 1 : 5,
      measure: followers,
    },
    uploadCase(world, 'tar', false),
    uploadCase(world, 'tgz', true),
  ],
  targets: (stored) => [
    limit(
      stored,
      'gateway-list',
      'rate',
      `API on one core: GET of a status, ${CLIENTS} kept connections`,
      30000,
      '/s',
      '≥',
    ),
    limit(
      stored,
      'gateway-list',
      'rate',
      "API on one core: the same against StrongLoop's own",
      20,
      '×',
      '≥',
      'strong-pm',
      'strong-pm',
    ),
    limit(stored, 'gateway-idle', 'rss', 'gateway, idle, RSS', 8, 'MB', '≤'),
    limit(stored, 'gateway-idle', 'wake_ups', 'gateway, idle, wake-ups', 0, '/s', '≤'),
    limit(stored, 'gateway-followers', 'rss', `gateway with ${FOLLOWERS} followers of events, RSS`, 40, 'MB', '≤'),
    ...['tar', 'tgz'].flatMap((name) => {
      const what = `upload of ${UPLOAD_MB} MB, .${name}`;
      const id = `gateway-upload-${name}`;
      return [
        limit(stored, id, 'gateway', `${what}: the gateway at most, RSS`, 16, 'MB', '≤'),
        limit(stored, id, 'part', `${what}: speed, of that of \`cat\` through a unix socket`, 0.5, '×', '≥'),
      ];
    }),
  ],
};
