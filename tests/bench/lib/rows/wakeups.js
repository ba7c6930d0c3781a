// How often slcd and a master are put on a CPU when nothing happens: context switches of all threads. How many of
// them were wake-ups, and how many the kernel's way back from a preemption, is told beside it.
'use strict';

const path = require('path');
const { contextSwitches } = require('../procfs');
const { round } = require('../numbers');
const { sleep } = require('../command');

const INSTANCES = 2;
const PING_MS = 10000;

const all = ({ wakeUps, preemptions }) => wakeUps + preemptions;

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
  const wakeUps = () => contextSwitches(pids.slcd).wakeUps;
  const before = wakeUps();
  for (let waited = 0; waited < PING_MS && wakeUps() === before; waited += 20) await sleep(20);
  await sleep(PING_MS / 2);

  const count = () => Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, contextSwitches(pid)]));
  const from = count();
  const started = process.hrtime.bigint();
  await sleep(seconds * 1000);
  const to = count();
  const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
  const rate = (name, kind) => (to[name][kind] - from[name][kind]) / elapsed;
  const rates = Object.fromEntries(Object.keys(to).map((name) =>
    [name, { wakeUps: rate(name, 'wakeUps'), preemptions: rate(name, 'preemptions') }]));
  const allowed = 0.1 + 0.1 * INSTANCES;
  const busiest = Object.keys(rates).filter((name) => name.startsWith('master')).map((name) => rates[name])
    .sort((a, b) => all(b) - all(a))[0];
  const text = (of) => `${round(all(of))}/s (${round(of.wakeUps)} wake-ups, ${round(of.preemptions)} preemptions)`;
  // 6 in 60.01 s is 0.1/s.
  const met = (of, limit) => round(all(of)) <= round(limit);
  return [{
    what: `slcd, idle, ${INSTANCES} instances, context switches`,
    target: `≤ 0.1/s + 0.1/s per instance = ${round(allowed)}/s`,
    measured: text(rates.slcd),
    peer: pm2 && `PM2's daemon ${text(rates.pm2)}`,
    met: met(rates.slcd, allowed),
    data: { seconds: elapsed, rates },
  }, {
    what: 'slc-master, idle, context switches (the busiest of 2)',
    target: '≤ 0.1/s',
    measured: text(busiest),
    met: met(busiest, 0.1),
    data: {},
  }];
}));
