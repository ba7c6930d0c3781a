'use strict';

const assert = require('assert');
const os = require('os');

const { until } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  group.values.port = await world.startApp('web', 2);
  await world.slc('ctl', 'create', 'bare');

  const workers = (n) => until(`${n} workers`, async () => {
    const view = await world.view('web');
    return world.workers(view).filter((worker) => worker.state === 'ready').length === n
      && world.workers(view).length === n;
  });
  await group.play('three workers', () => workers(3));
  await group.play('shown');
  await group.play('by id', () => workers(1));
  await group.play('as many as CPUs', () => workers(os.availableParallelism()));
  await group.play('what is no size', () => workers(os.availableParallelism()));
  await group.play('with the response shown', () => workers(2));
  await group.play('none', async () => {
    await workers(0);
    assert.strictEqual((await world.view('web')).processes.length, 1);
  });
  await world.slc('ctl', 'stop', 'web');
  await group.play('of a service that is stopped', async () => {
    assert.strictEqual((await world.view('web')).size, '2');
  });
  await group.play('of a service without an app', async () => {
    assert.strictEqual((await world.view('bare')).size, '3');
  });
  await group.play('of a service that is not there');
};
