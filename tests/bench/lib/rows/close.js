// One connection per request in rr, against Node's own cluster: connections/s, and what the process that
// hands them out spends on each.
'use strict';

const path = require('path');
const { answers, runBeside, until } = require('../command');
const { childrenOf, cpuMicros } = require('../procfs');
const { median, ratio, round, spread, sum } = require('../numbers');

const CLIENTS = 32;

async function withNodeCluster(world, workers, use) {
  const port = await world.freePort();
  const [primary, tiny] = ['primary.js', 'tiny.js'].map((name) => path.join(world.apps, name));
  const process_ = runBeside(process.execPath, [primary, tiny, String(workers)],
    { env: { ...process.env, PORT: String(port) } });
  world.onClose(() => process_.stop());
  await until("Node's cluster serves", () => answers(port));
  await until('all its workers are there', () => childrenOf(process_.pid).length === workers);
  const result = await use({ port, master: process_.pid, workers: childrenOf(process_.pid) });
  await process_.stop();
  return result;
}

// One round: {rate, master, worker}, CPU in microseconds per connection.
async function churn(world, { port, master, workers }, seconds) {
  const cpu = () => [cpuMicros(master), sum(workers.map(cpuMicros))];
  const before = cpu();
  const lane = await world.load(seconds, { url: `http://127.0.0.1:${port}/`, mode: 'close', connections: CLIENTS });
  const after = cpu();
  return {
    rate: lane.requests_per_second,
    master: (after[0] - before[0]) / lane.ok,
    worker: (after[1] - before[1]) / lane.ok,
  };
}

async function compare(world, slc, workers) {
  const port = await world.freePort();
  const ours = { port, ...await slc.start(`tiny${workers}`, path.join(world.apps, 'tiny.js'), workers, port) };
  const rounds = { slc: [], node: [] };
  await withNodeCluster(world, workers, async (theirs) => {
    const seconds = world.quick ? 0.5 : 2.5;
    await churn(world, ours, seconds);
    await churn(world, theirs, seconds);
    for (let i = 0; i < (world.quick ? 2 : 11); i += 1) {
      // Who goes first takes turns, too.
      if (i % 2) rounds.node.push(await churn(world, theirs, seconds));
      rounds.slc.push(await churn(world, ours, seconds));
      if (!(i % 2)) rounds.node.push(await churn(world, theirs, seconds));
    }
  });
  await slc.run('ctl', 'remove', `tiny${workers}`);
  const figure = (who, name) => rounds[who].map((entry) => entry[name]);
  const middle = (who, name) => median(figure(who, name));
  const rates = ratio(figure('slc', 'rate'), figure('node', 'rate'));
  const cpus = ratio(figure('slc', 'master'), figure('node', 'master'));
  const name = `${workers} worker${workers > 1 ? 's' : ''}`;
  return [{
    what: `one connection per request, rr, ${name}: connections/s`,
    target: "≥ 1.1 × Node's cluster",
    measured: `${round(rates)} × (${round(middle('slc', 'rate'), 0)}/s)`,
    peer: `Node's cluster ${round(middle('node', 'rate'), 0)}/s`,
    met: rates >= 1.1,
    data: { rounds, ratios: spread(rounds.slc.map((entry, i) => entry.rate / rounds.node[i].rate)) },
  }, {
    what: `one connection per request, rr, ${name}: CPU of the master per connection`,
    target: "≤ 1/2 of Node's primary",
    measured: `${round(cpus)} × (${round(middle('slc', 'master'), 0)} µs)`,
    peer: `Node's primary ${round(middle('node', 'master'), 0)} µs`,
    met: cpus <= 0.5,
    data: { worker_us: { slc: middle('slc', 'worker'), node: middle('node', 'worker') } },
  }];
}

module.exports = (world) => world.withSlc(async (slc) => {
  const results = [];
  for (const workers of world.quick ? [2] : [1, 2, 4]) results.push(...await compare(world, slc, workers));
  return results;
});
