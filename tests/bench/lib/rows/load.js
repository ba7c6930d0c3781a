// Requests: how many a second, what manager and workers spend on each, and how evenly connections are spread.
'use strict';

const { connectionsOf, cpuMicros } = require('../procfs');
const { sum } = require('../numbers');
const { until } = require('../command');
const { limit } = require('../targets');

const CLIENTS = 32;
const EVEN_CONNECTIONS = 200;
const EVEN_WORKERS = 4;
const ALL = ['slc', 'slc-slots', 'slc-shared', 'pm2', 'strong', 'cluster-rr', 'cluster-none'];
const SINGLE = [...ALL, 'forever', 'supervisord', 'runit', 'plain'];

const cpu = (pids) => sum(pids.map(cpuMicros));

// Even is 0; 0.1 is 10 % above it.
const above = (counts) => Math.max(...counts) / (sum(counts) / counts.length) - 1;

async function burst(manager, { port, workers }, mode, seconds) {
  const own = manager.managerPids();
  const before = [cpu(own), cpu(workers)];
  const lane = await manager.world.load(seconds, { url: `http://127.0.0.1:${port}/`, mode, connections: CLIENTS });
  const each = (pids, from) => (cpu(pids) - from) / lane.ok;
  const requests = workers.map((pid) => (lane.workers[pid] || { requests: 0 }).requests);
  return {
    rate: lane.requests_per_second,
    manager_us: each(own, before[0]),
    worker_us: each(workers, before[1]),
    busiest: above(requests) * 100,
  };
}

function loadCase(world, mode, workers) {
  const seconds = world.quick ? 0.5 : 2.5;
  const kind = mode === 'close' ? 'a connection per request' : 'keep-alive';
  const what = `${kind}, ${workers} worker${workers > 1 ? 's' : ''}`;
  return {
    id: `load-${mode}-${workers}`,
    metrics: [
      { key: 'rate', group: 'd', title: `${what}: requests`, unit: '/s', better: 'more' },
      { key: 'manager_us', group: 'd', title: `${what}: CPU of the managers, a request`, unit: 'µs' },
      { key: 'worker_us', group: 'd', title: `${what}: CPU of the workers, a request`, unit: 'µs' },
      ...(workers > 1 && mode === 'close'
        ? [{ key: 'busiest', group: 'd', title: `${what}: busiest worker above even`, unit: '%' }]
        : []),
    ],
    managers: workers === 1 ? SINGLE : ALL,
    rounds: world.quick ? 1 : 5,
    open: async (manager) => {
      const app = await manager.web({ workers });
      // Until the code is optimised.
      await burst(manager, app, mode, seconds);
      return app;
    },
    measure: (manager, app) => burst(manager, app, mode, seconds),
  };
}

async function even(manager) {
  const { port, workers } = await manager.web({ workers: EVEN_WORKERS });
  const load = manager.world.beginLoad(
    { url: `http://127.0.0.1:${port}/`, connections: EVEN_CONNECTIONS, rate: 400 },
    15000,
  );
  try {
    const counts = await until('all connections have a worker', () => {
      const now = workers.map((pid) => connectionsOf(pid, port));
      return sum(now) === EVEN_CONNECTIONS && now;
    });
    return { busiest: above(counts) * 100 };
  } finally {
    await load.stop();
  }
}

function targets(stored) {
  const rows = [];
  for (const workers of [1, 2, 4]) {
    const id = `load-close-${workers}`;
    const what = (text) => `a connection per request, ${workers} worker${workers > 1 ? 's' : ''}: ${text}`;
    rows.push(
      limit(stored, id, 'rate', what('connections/s in rr'), 1.1, '×', '≥', 'cluster-rr', "Node's cluster"),
      limit(
        stored,
        id,
        'manager_us',
        what('CPU of the master in rr, each'),
        0.5,
        '×',
        '≤',
        'cluster-rr',
        "Node's primary",
      ),
      limit(stored, id, 'manager_us', what('CPU of the master in rr, each'), 20, 'µs', '≤'),
      limit(
        stored,
        id,
        'rate',
        what('connections/s in slots'),
        0.95,
        '×',
        '≥',
        'cluster-none',
        'no manager (SCHED_NONE)',
        'slc-slots',
      ),
    );
    if (workers > 1) {
      rows.push(
        limit(stored, id, 'busiest', what('busiest worker above even in slots'), 10, '%', '≤', null, '', 'slc-slots'),
      );
    }
  }
  rows.push(
    limit(
      stored,
      'even',
      'busiest',
      `${EVEN_CONNECTIONS} kept-alive connections, 4 workers: busiest above even`,
      10,
      '%',
      '≤',
    ),
  );
  return rows;
}

module.exports = {
  cases: (world) => [
    ...['keepalive', 'close'].flatMap((mode) => [1, 2, 4].map((workers) => loadCase(world, mode, workers))),
    {
      id: 'even',
      metrics: [
        {
          key: 'busiest',
          group: 'd',
          unit: '%',
          title: `${EVEN_CONNECTIONS} kept-alive connections, ${EVEN_WORKERS} workers: busiest worker above even`,
        },
      ],
      managers: ALL,
      rounds: world.quick ? 1 : 3,
      measure: even,
    },
  ],
  targets,
};
