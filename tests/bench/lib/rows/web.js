// A web app that has served and now idles: memory and wake-ups. And a daemon with nothing to do.
'use strict';

const { memoryKib, contextSwitches, cpuMicros } = require('../procfs');
const { median, sum } = require('../numbers');
const { sleep } = require('../command');

const ALL = ['slc', 'pm2', 'forever', 'strong', 'supervisord', 'runit', 'cluster-rr', 'cluster-none', 'plain'];
const DAEMONS = ['slc', 'pm2', 'supervisord', 'runit'];

const memory = (pids) => pids.map(memoryKib);
const mega = (list, kind) => sum(list.map((one) => one[kind])) / 1024;

async function measure(manager, workers) {
  const { world } = manager;
  const { port, workers: pids } = await manager.web({ workers });
  await world.load(1, { url: `http://127.0.0.1:${port}/`, mode: 'close', connections: 4, requests: 200 });
  await sleep(world.quick ? 2000 : 15000);
  const own = manager.managerPids();
  const [managers, each] = [memory(own), memory(pids)];
  const count = () => [sum(own.map((pid) => contextSwitches(pid).wakeUps)), sum(own.map(cpuMicros))];
  const before = count();
  const seconds = world.quick ? 5 : 30;
  await sleep(seconds * 1000);
  const after = count();
  return {
    rss: mega(managers, 'rss'),
    uss: mega(managers, 'uss'),
    worker_rss: median(each.map((one) => one.rss)) / 1024,
    worker_uss: median(each.map((one) => one.uss)) / 1024,
    wake_ups: (after[0] - before[0]) / seconds,
    idle_cpu: (after[1] - before[1]) / 1e4 / seconds,
  };
}

const metrics = (workers) => [
  { key: 'rss', group: 'a', title: `web app, ${workers} worker${workers > 1 ? 's' : ''}: managers, RSS`, unit: 'MB' },
  {
    key: 'uss',
    group: 'a',
    title: `web app, ${workers} worker${workers > 1 ? 's' : ''}: managers, private`,
    unit: 'MB',
  },
  {
    key: 'worker_rss',
    group: 'a',
    title: `web app, ${workers} worker${workers > 1 ? 's' : ''}: one worker, RSS`,
    unit: 'MB',
  },
  {
    key: 'worker_uss',
    group: 'a',
    title: `web app, ${workers} worker${workers > 1 ? 's' : ''}: one worker, private`,
    unit: 'MB',
  },
  ...(workers === 2
    ? [
        { key: 'idle_cpu', group: 'c', title: 'idle, web app, 2 workers: CPU of the managers', unit: '%', digits: 3 },
        { key: 'wake_ups', group: 'c', title: 'idle, web app, 2 workers: wake-ups of the managers', unit: '/s' },
      ]
    : []),
];

async function daemon(manager) {
  await manager.idle();
  await sleep(manager.world.quick ? 2000 : 10000);
  const all = memory(manager.managerPids());
  return { rss: mega(all, 'rss'), uss: mega(all, 'uss') };
}

module.exports = {
  cases: (world) => [
    ...[1, 2].map((workers) => ({
      id: `web-${workers}`,
      metrics: metrics(workers),
      managers: ALL,
      // Memory and wake-ups of what does nothing differ by a hundredth from round to round, and each takes 50 s.
      rounds: 1,
      measure: (manager) => measure(manager, workers),
    })),
    {
      id: 'daemon',
      metrics: [
        { key: 'rss', group: 'a', title: 'daemon, nothing to do: RSS', unit: 'MB' },
        { key: 'uss', group: 'a', title: 'daemon, nothing to do: private', unit: 'MB' },
      ],
      managers: DAEMONS,
      rounds: world.quick ? 1 : 3,
      measure: daemon,
    },
  ],
  targets: () => [],
};
