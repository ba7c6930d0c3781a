// Kept-alive connections: what slc adds to each request, and how evenly connections are spread.
'use strict';

const path = require('path');
const { answers, runBeside, until } = require('../command');
const { connectionsOf, cpuMicros } = require('../procfs');
const { median, round, spread, sum } = require('../numbers');

const CLIENTS = 32;
const SPREAD_WORKERS = 4;
const SPREAD_CONNECTIONS = 200;

// CPU per request in microseconds of all `pids`.
async function costs(world, port, pids, requests) {
  const before = sum(pids.map(cpuMicros));
  const lane = await world.load(60, { url: `http://127.0.0.1:${port}/`, connections: CLIENTS, requests });
  return (sum(pids.map(cpuMicros)) - before) / lane.ok;
}

// Both started anew: two processes of the same program differ by some percent for as long as they live
// (where their memory lies, what was optimised when), which no number of rounds on one pair would show.
async function pair(world, slc, rounds, requests) {
  const tiny = path.join(world.apps, 'tiny.js');
  const [ourPort, plainPort] = [await world.freePort(), await world.freePort()];
  const { master, workers } = await slc.start('tiny', tiny, 1, ourPort);
  const plain = runBeside(process.execPath, [tiny], { env: { ...process.env, PORT: String(plainPort) } });
  world.onClose(() => plain.stop());
  await until('plain node serves', () => answers(plainPort));
  const result = { slc: [], plain: [] };
  const ours = () => costs(world, ourPort, [master, ...workers], requests);
  const theirs = () => costs(world, plainPort, [plain.pid], requests);
  // Until the code is optimised.
  await ours();
  await theirs();
  for (let i = 0; i < rounds; i += 1) {
    // Who goes first takes turns, too.
    if (i % 2) result.plain.push(await theirs());
    result.slc.push(await ours());
    if (!(i % 2)) result.plain.push(await theirs());
  }
  await plain.stop();
  await slc.run('ctl', 'remove', 'tiny');
  return result;
}

async function overhead(world, slc) {
  const pairs = [];
  const [count, rounds, requests] = world.quick ? [1, 2, 2000] : [6, 10, 8000];
  for (let i = 0; i < count; i += 1) pairs.push(await pair(world, slc, rounds, requests));
  const all = (name) => pairs.flatMap((one) => one[name]);
  const ratios = all('slc').map((micros, i) => micros / all('plain')[i]);
  return {
    what: 'keep-alive, 1 worker: CPU of worker and master per request',
    target: '≤ 1.03 × no manager',
    measured: `${round(median(ratios), 3)} × (${round(median(all('slc')), 1)} µs)`,
    peer: `plain \`node\` ${round(median(all('plain')), 1)} µs`,
    met: median(ratios) <= 1.03,
    data: { pairs, ratios: spread(ratios, 3) },
  };
}

async function evenness(world, slc) {
  const port = await world.freePort();
  const { workers } = await slc.start('spread', path.join(world.apps, 'tiny.js'), SPREAD_WORKERS, port);
  const load = world.load(3, { url: `http://127.0.0.1:${port}/`, connections: SPREAD_CONNECTIONS, rate: 400 });
  const count = () => workers.map((pid) => connectionsOf(pid, port));
  const counts = await until('all connections have a worker', () => {
    const now = count();
    return sum(now) === SPREAD_CONNECTIONS && now;
  }).finally(() => load);
  await slc.run('ctl', 'remove', 'spread');
  const even = SPREAD_CONNECTIONS / SPREAD_WORKERS;
  const off = Math.max(...counts.map((count) => Math.abs(count - even) / even));
  return {
    what: `keep-alive, ${SPREAD_CONNECTIONS} connections, ${SPREAD_WORKERS} workers: how even`,
    target: 'within 10 % of even',
    measured: `${round(off * 100, 1)} % (${counts.join(', ')})`,
    met: off <= 0.1,
    data: { counts },
  };
}

module.exports = (world) => world.withSlc(async (slc) => [await overhead(world, slc), await evenness(world, slc)]);
