// What crashes at once, for ten seconds: how often it is started, and what that costs the manager.
'use strict';

const fs = require('fs');
const path = require('path');
const { alive, cpuMicros } = require('../procfs');
const { sleep, until } = require('../command');
const { sum } = require('../numbers');

const SECONDS = 10;

const spent = (pids) => sum(pids.filter(alive).map(cpuMicros)) / 1e6;

async function watch(manager, marks, begin) {
  begin();
  await until('the first start', () => manager.marks(marks).length > 0);
  const own = manager.managerPids();
  const before = spent(own);
  await sleep(SECONDS * 1000);
  return { starts: manager.marks(marks).length, cpu_s: spent(own) - before };
}

function program(manager) {
  const marks = path.join(manager.folder, 'crashes');
  fs.writeFileSync(marks, '');
  return watch(manager, marks, () => manager.startPrograms({ name: 'crash', count: 1, args: ['crash', marks] }));
}

async function app(manager) {
  const marks = path.join(manager.folder, 'crashes');
  fs.writeFileSync(marks, '');
  const port = await manager.world.freePort();
  const script = path.join(manager.apps, 'crash.js');
  return watch(manager, marks, () =>
    Promise.resolve(
      manager.startWeb({ name: 'crash', script, workers: 1, port, env: { BENCH_RESULT: marks } }),
    ).catch(() => {}),
  );
}

const metrics = (what) => [
  { key: 'starts', group: 'f', title: `${what} that crashes at once: starts in 10 s`, unit: '' },
  { key: 'cpu_s', group: 'f', title: `${what} that crashes at once: CPU of the managers in 10 s`, unit: 's' },
];

module.exports = {
  cases: (world) => [
    {
      id: 'crash-program',
      metrics: metrics('a C program'),
      managers: ['slc', 'pm2', 'forever', 'supervisord', 'runit'],
      rounds: world.quick ? 1 : 3,
      measure: program,
    },
    {
      id: 'crash-app',
      metrics: metrics('a Node app'),
      managers: ['slc', 'pm2', 'forever', 'strong', 'supervisord', 'runit', 'cluster-rr'],
      rounds: world.quick ? 1 : 3,
      measure: app,
    },
  ],
  targets: () => [],
};
