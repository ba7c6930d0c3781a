'use strict';

const assert = require('assert');

module.exports = async (group) => {
  const world = await group.begin();
  await group.play('about the server');
  await group.play('no services');
  await group.play('no services, by the default command');
  await group.play('nothing to list');
  await group.play('the status of a service that is not there');
  await group.play('processes of a service that is not there');

  await group.play('a service without an app');
  await group.play('its status');
  await group.play('its processes');

  group.values.port = await world.startApp('web', 2);
  await group.play('a service that runs', async () => {
    const shown = ['pid0', 'pid1', 'pid2'].map((name) => Number(group.values[name]));
    const there = (await world.view('web')).processes.map((process) => process.pid);
    assert.deepStrictEqual(shown, there);
  });
  await group.play('the same by its id');
  await group.play('all services');
  await group.play('with what has stopped');
  await group.play('how many processes run');
  await group.play('both listed');

  await world.slc('ctl', 'stop', 'web');
  await group.play('a service that was stopped');
  await group.play('processes of a service that was stopped');
};
