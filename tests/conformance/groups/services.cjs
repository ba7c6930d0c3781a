'use strict';

const assert = require('assert');

module.exports = async (group) => {
  const world = await group.begin();
  await group.play('create');
  await group.play('the same name again');
  await group.play('a scale');
  await group.play('a name that cannot be');
  await group.play('the list');
  await group.play('remove by id');
  await group.play('remove by name');
  await group.play('remove what is not there');
  await group.play('an id is never used again');

  // Into the service that was created.
  await world.startApp('web', 1);
  const [worker] = world.workers(await world.view('web'));
  await group.play('remove what runs', () => {
    assert.throws(() => process.kill(worker.pid, 0), 'its worker still runs');
  });
  await group.play('nothing is left');
};
