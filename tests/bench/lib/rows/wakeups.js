// How often slcd and a master are put on a CPU when nothing happens: context switches of all threads.
'use strict';

const path = require('path');
const { contextSwitches } = require('../procfs');
const { round } = require('../numbers');
const { sleep } = require('../command');

const INSTANCES = 2;
const PING_MS = 10000;

module.exports = (world) => world.withSlc(async (slc) => world.withPm2(async (pm2) => {
  const seconds = world.quick ? 20 : 60;
  const tiny = path.join(world.apps, 'tiny.js');
  const pids = {};
  for (let i = 1; i <= INSTANCES; i += 1) {
    pids[`master${i}`] = (await slc.start(`tiny${i}`, tiny, 2, await world.freePort())).master;
  }
  pids.slcd = await slc.daemon();
  if (pm2) {
    for (let i = 1; i <= INSTANCES; i += 1) await pm2.start(`tiny${i}`, tiny, 2, await world.freePort());
    pids.pm2 = pm2.daemon();
  }
  // What is left of starting (a first flush, the min-uptime of the workers) is not idleness.
  await sleep(world.quick ? 3000 : 15000);
  // Begin in the middle between two pings, or one too many may fall into the time.
  const before = contextSwitches(pids.slcd);
  for (let waited = 0; waited < PING_MS && contextSwitches(pids.slcd) === before; waited += 20) await sleep(20);
  await sleep(PING_MS / 2);

  const count = () => Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, contextSwitches(pid)]));
  const from = count();
  const started = process.hrtime.bigint();
  await sleep(seconds * 1000);
  const to = count();
  const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
  const rates = Object.fromEntries(Object.keys(to).map((name) => [name, (to[name] - from[name]) / elapsed]));
  const allowed = 0.1 + 0.1 * INSTANCES;
  const busiest = Math.max(...Object.keys(rates).filter((name) => name.startsWith('master')).map((n) => rates[n]));
  // 6 in 60.01 s is 0.1/s.
  const met = (rate, limit) => round(rate) <= round(limit);
  return [{
    what: `slcd, idle, ${INSTANCES} instances, wake-ups`,
    target: `≤ 0.1/s + 0.1/s per instance = ${round(allowed)}/s`,
    measured: `${round(rates.slcd)}/s`,
    peer: pm2 && `PM2's daemon ${round(rates.pm2)}/s`,
    met: met(rates.slcd, allowed),
    data: { seconds: elapsed, rates },
  }, {
    what: 'slc-master, idle, wake-ups (the busiest)',
    target: '≤ 0.1/s',
    measured: `${round(busiest)}/s`,
    met: met(busiest, 0.1),
    data: {},
  }];
}));
