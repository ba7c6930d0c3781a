// From the command to the first 200, without a daemon and with one; and until a stopped app is gone.
'use strict';

const fs = require('fs');
const path = require('path');
const { alive } = require('../procfs');
const { until } = require('../command');
const { family } = require('../managers/manager');
const { limit } = require('../targets');

const ALL = ['slc', 'pm2', 'forever', 'strong', 'supervisord', 'runit', 'cluster-rr', 'cluster-none', 'plain'];
// Those whose daemon stays when an app is started.
const WITH_DAEMON = ['slc', 'pm2', 'supervisord', 'runit', 'plain'];

async function first200(manager, script, name) {
  const port = await manager.world.freePort();
  const argv = manager.startCommand({ name, script, port });
  const [{ ms, pid }] = await manager.world.time(['first-200', port, ...argv], {
    ...manager.env,
    PORT: String(port),
  });
  return { ms, pid, port };
}

const manages = (manager) => ['strong', 'cluster-rr', 'cluster-none', 'plain', 'runit'].includes(manager.kind);

async function cold(manager) {
  const name = manager.newName('express');
  const { ms, pid } = await first200(manager, path.join(manager.apps, 'express/server.js'), name);
  // What started it stays where it is itself the manager.
  if (!manages(manager)) await until('the command has returned', () => !alive(pid));
  if (manager.kind === 'runit') manager.daemon = { pid, stop: async () => process.kill(pid, 'SIGTERM') };
  if (manager.kind === 'strong') manager.pid = pid;
  const stopMs = await stopped(manager, name, pid);
  return { start_ms: ms, stop_ms: stopMs };
}

// Until no process of the app is left: by the manager's own command, or a SIGTERM to what was started.
async function stopped(manager, name, pid) {
  const workers = manages(manager) && manager.kind !== 'runit' ? family([pid]) : manager.workerPids();
  const begin = process.hrtime.bigint();
  if (['cluster-rr', 'cluster-none', 'plain'].includes(manager.kind)) process.kill(pid, 'SIGTERM');
  else await manager.run(manager.stopCommand(name));
  await until('the app is gone', () => !workers.some(alive));
  return Number(process.hrtime.bigint() - begin) / 1e6;
}

async function warm(manager) {
  const { pid, ms } = await first200(
    manager,
    path.join(manager.apps, 'express/server.js'),
    manager.newName('express'),
  );
  if (manager.kind !== 'plain') await until('the command has returned', () => !alive(pid));
  else process.kill(pid, 'SIGKILL');
  if (manager.kind !== 'plain') await manager.run(manager.stopCommand(`express${manager.count}`));
  return { start_ms: ms };
}

async function openWarm(manager) {
  if (manager.kind !== 'plain') await manager.web();
  await withExpress(manager);
}

async function withExpress(manager) {
  fs.cpSync(await manager.world.expressApp(), path.join(manager.apps, 'express'), { recursive: true });
}

module.exports = {
  cases: (world) => [
    {
      id: 'start-cold',
      metrics: [
        { key: 'start_ms', group: 'b', title: 'start, Express 4, no daemon yet: to the first 200', unit: 'ms' },
        { key: 'stop_ms', group: 'b', title: 'stop: until it is gone', unit: 'ms' },
      ],
      managers: ALL,
      rounds: world.quick ? 1 : 7,
      measure: async (manager) => {
        await withExpress(manager);
        return cold(manager);
      },
    },
    {
      id: 'start-warm',
      metrics: [
        { key: 'start_ms', group: 'b', title: 'start, Express 4, daemon running: to the first 200', unit: 'ms' },
      ],
      managers: WITH_DAEMON,
      rounds: world.quick ? 3 : 25,
      open: openWarm,
      measure: warm,
    },
  ],
  targets: (stored) => [
    limit(
      stored,
      'start-warm',
      'start_ms',
      '`slc start --size 1` to the first 200, daemon running, Express 4',
      1.15,
      '×',
      '≤',
      'plain',
      'plain `node`',
    ),
  ],
};
