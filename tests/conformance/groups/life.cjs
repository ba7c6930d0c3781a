'use strict';

const assert = require('assert');

const { until } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  await world.startApp('web', 2);
  await world.slc('ctl', 'create', 'bare');

  const pids = async () => world.workers(await world.view('web')).map((worker) => worker.pid);
  const isRunning = async () => (await pids()).length === 2;
  const stopped = async () => assert.deepStrictEqual(await pids(), []);
  const running = () => until('two workers', isRunning);
  // Others than before, of which none is left.
  const replaced = (before) => until('two new workers', async () => {
    const now = await pids();
    return now.length === 2 && !now.some((pid) => before.includes(pid));
  });
  const playRestart = async (name) => {
    const before = await pids();
    await group.play(name, () => replaced(before));
  };

  for (const verb of ['start', 'stop', 'soft-stop', 'restart']) await group.play(`${verb} what has no app`);
  await group.play('start what runs');
  await group.play('stop', stopped);
  await group.play('stop what is stopped');
  await group.play('soft-stop what is stopped');
  await group.play('start', running);
  await group.play('soft-stop', stopped);
  await group.play('start with the response shown', running);
  await playRestart('restart');
  await playRestart('restart by id');
  await playRestart('soft-restart');
  await playRestart('cluster-restart');
  await playRestart('cluster-restart with the response shown');
  await world.slc('ctl', 'stop', 'web');
  await group.play('restart what is stopped', running);
  await world.slc('ctl', 'stop', 'web');
  await group.play('cluster-restart what is stopped', stopped);
  for (const verb of ['start', 'stop', 'soft-stop', 'restart', 'soft-restart', 'cluster-restart']) {
    await group.play(`${verb} nosuch`);
  }
};
