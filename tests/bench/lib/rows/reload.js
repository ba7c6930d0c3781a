// Reloads and killed workers under load: what fails, and how long it takes.
'use strict';

const http = require('http');
const { alive } = require('../procfs');
const { sleep, until } = require('../command');
const { limit } = require('../targets');

const WORKERS = 4;
const RELOADERS = ['slc', 'pm2', 'strong', 'cluster-rr', 'cluster-none'];
const ALL = [...RELOADERS, 'forever', 'supervisord', 'runit'];
const LOADS = {
  keepalive: { title: 'keep-alive', lane: { mode: 'keepalive', connections: 40, rate: 500 } },
  close: { title: 'a connection per request', lane: { mode: 'close', connections: 40, rate: 500 } },
  slow: { title: 'answers of 2 s', path: 'slow', lane: { mode: 'close', connections: 40 } },
};
const APPS = { 'naive': {}, 'draining': { BENCH_DRAIN: 'close' }, 'soft draining': { BENCH_DRAIN: 'soft' } };
const REQUEST_TIMEOUT_MS = 5000;

const failed = (lane) => ({
  failed: lane.failures.total,
  sent: lane.sent,
  kinds: lane.failures,
  p99_ms: lane.latency_ms.p99,
});

function underLoad(manager, { port }, load) {
  return manager.world.beginLoad(
    { url: `http://127.0.0.1:${port}/${load.path || ''}`, ...load.lane },
    REQUEST_TIMEOUT_MS,
  );
}

async function reload(manager, load, env) {
  const app = await manager.web({ workers: WORKERS, env });
  // sl-run replaces only what has run for a while.
  await sleep(1000);
  const running = underLoad(manager, app, load);
  await sleep(load.path ? 2500 : 1000);
  const begin = process.hrtime.bigint();
  await manager.reload(app.name);
  await until(
    'all workers are replaced',
    () => !app.workers.some(alive) && manager.workerPids().length === WORKERS,
    90000,
  );
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  await sleep(500);
  return { ...failed(await running.stop()), seconds };
}

function answerer(port) {
  return new Promise((resolve) => {
    http
      .get({ port, host: '127.0.0.1', agent: false, timeout: 1000 }, (response) => {
        response.resume().on('end', () => resolve(Number(response.headers['x-worker'])));
      })
      .on('error', () => resolve(0))
      .on('timeout', function stop() {
        this.destroy();
      });
  });
}

async function kill(manager, load, workers) {
  const app = await manager.web({ workers });
  await sleep(1000);
  const running = underLoad(manager, app, load);
  await sleep(1000);
  const begin = process.hrtime.bigint();
  process.kill(app.workers[0], 'SIGKILL');
  await until('a successor answers', async () => {
    const pid = await answerer(app.port);
    return pid !== 0 && !app.workers.includes(pid);
  });
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  await sleep(500);
  return { ...failed(await running.stop()), ms };
}

module.exports = {
  cases: (world) => [
    ...Object.entries(LOADS).flatMap(([name, load]) =>
      Object.entries(APPS).map(([app, env]) => ({
        id: `reload-${name}-${app.replace(' ', '-')}`,
        metrics: [
          {
            key: 'failed',
            group: 'e',
            title: `reload of 4 workers, ${app} app, ${load.title}: failed requests`,
            unit: '',
          },
          { key: 'seconds', group: 'e', title: `reload of 4 workers, ${app} app, ${load.title}: takes`, unit: 's' },
        ],
        managers: RELOADERS,
        rounds: world.quick ? 1 : 3,
        measure: (manager) => reload(manager, load, env),
      })),
    ),
    ...[4, 1].flatMap((workers) =>
      ['keepalive', 'close'].map((name) => ({
        id: `kill-${workers}-${name}`,
        metrics: [
          {
            key: 'failed',
            group: 'e',
            title: `kill -9 of one worker of ${workers}, ${LOADS[name].title}: failed requests`,
            unit: '',
          },
          {
            key: 'ms',
            group: 'e',
            title: `kill -9 of one worker of ${workers}, ${LOADS[name].title}: its successor answers after`,
            unit: 'ms',
          },
        ],
        managers: workers === 1 ? ALL : RELOADERS,
        rounds: world.quick ? 1 : 3,
        measure: (manager) => kill(manager, LOADS[name], workers),
      })),
    ),
  ],
  targets: (stored) =>
    Object.keys(LOADS).flatMap((load) =>
      Object.keys(APPS).map((app) =>
        limit(
          stored,
          `reload-${load}-${app.replace(' ', '-')}`,
          'failed',
          `soft-restart of 4 workers under load, ${LOADS[load].title}, ${app} app: failed requests`,
          0,
          '',
          '≤',
        ),
      ),
    ),
};
