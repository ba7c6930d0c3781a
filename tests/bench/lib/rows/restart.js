// A rolling restart of four workers of an app that boots in some 40 ms, without load.
'use strict';

const path = require('path');
const { alive } = require('../procfs');
const { median, ratio, round, spread } = require('../numbers');
const { until } = require('../command');

const WORKERS = 4;
const LINGER_MS = 500; // the default of --drain-linger

// From exec until the port takes connections.
async function boot(world, app) {
  const port = await world.freePort();
  const env = { ...process.env, PORT: String(port) };
  const [{ ms, pid }] = await world.time(['listening', port, process.execPath, app], env);
  process.kill(pid, 'SIGKILL');
  await until('plain node is gone', () => !alive(pid));
  return ms;
}

module.exports = (world) => world.withSlc(async (slc) => {
  const tiny = path.join(world.apps, 'tiny.js');
  await slc.start('tiny', tiny, WORKERS, await world.freePort());
  const [rolls, budgets, boots] = [[], [], []];
  for (let i = 0; i < (world.quick ? 1 : 7); i += 1) {
    const before = await slc.service('tiny');
    const around = [await boot(world, tiny)];
    const [line] = await world.time(['runs', 1, slc.program, 'ctl', 'soft-restart', 'tiny'], slc.env);
    if (line.exit !== 0) throw new Error('slc ctl soft-restart failed');
    around.push(await boot(world, tiny), await boot(world, tiny));
    const after = await slc.service('tiny');
    if (after.workers.some((pid) => before.workers.includes(pid))) throw new Error('a worker was not replaced');
    rolls.push(line.wall_us / 1000);
    boots.push(median(around));
    budgets.push(WORKERS * (median(around) + LINGER_MS));
  }
  const factor = ratio(rolls, budgets);
  return [{
    what: `soft-restart of ${WORKERS} workers, no load`,
    target: `≤ ${WORKERS} × (boot + linger) + 10 %`,
    measured: `${round(median(rolls) / 1000)} s, ${round(factor)} × ` +
      `${WORKERS} × (${round(median(boots), 0)} + ${LINGER_MS} ms)`,
    met: factor <= 1.1,
    data: { rolls, boots, factors: spread(rolls.map((ms, i) => ms / budgets[i])) },
  }];
});
