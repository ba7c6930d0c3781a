// From the command to the first 200 of an Express app, with the daemon already there.
'use strict';

const path = require('path');
const { alive } = require('../procfs');
const { median, ratio, round, spread } = require('../numbers');
const { until } = require('../command');

async function plain(world, app, port) {
  const env = { ...process.env, PORT: String(port) };
  const [{ ms, pid }] = await world.time(['first-200', port, process.execPath, path.join(app, 'server.js')], env);
  process.kill(pid, 'SIGKILL');
  await until('plain node is gone', () => !alive(pid));
  return ms;
}

async function ours(world, slc, app, port) {
  const [{ ms, pid }] = await world.time(
    ['first-200', port, slc.program, 'start', '--name', 'express', '--size', 1, '--port', port, app], slc.env);
  await until('slc start has returned', () => !alive(pid));
  await slc.run('ctl', 'remove', 'express');
  return ms;
}

async function theirs(world, pm2, app, port) {
  const script = path.join(app, 'server.js');
  const [{ ms, pid }] = await world.time(
    ['first-200', port, ...pm2.command, 'start', script, '--name', 'express'], { ...pm2.env, PORT: String(port) });
  await until('pm2 start has returned', () => !alive(pid));
  await pm2.run('delete', 'express');
  return ms;
}

module.exports = (world) => world.withSlc(async (slc) => world.withPm2(async (pm2) => {
  const app = await world.expressApp();
  const tiny = path.join(world.apps, 'tiny.js');
  // The daemons run, and everything is in the page cache.
  await slc.start('other', tiny, 1, await world.freePort());
  if (pm2) await pm2.start('other', tiny, 1, await world.freePort());
  await plain(world, app, await world.freePort());

  const times = { plain: [], slc: [], pm2: [] };
  for (let i = 0; i < (world.quick ? 3 : 25); i += 1) {
    times.plain.push(await plain(world, app, await world.freePort()));
    times.slc.push(await ours(world, slc, app, await world.freePort()));
    if (pm2 && i % 3 === 0) times.pm2.push(await theirs(world, pm2, app, await world.freePort()));
  }
  const factor = ratio(times.slc, times.plain);
  const factors = times.slc.map((ms, i) => ms / times.plain[i]);
  return [{
    what: '`slc start --size 1` to the first 200, daemon running, Express 4',
    target: '≤ 1.15 × plain `node`',
    measured: `${round(factor)} × (${round(median(times.slc), 0)} ms against ${round(median(times.plain), 0)} ms)`,
    peer: pm2 && `\`pm2 start\` ${round(median(times.pm2) / median(times.plain))} ×`,
    met: factor <= 1.15,
    data: { ...times, factors: spread(factors) },
  }];
}));
