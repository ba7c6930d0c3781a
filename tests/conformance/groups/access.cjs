'use strict';

const assert = require('assert');
const path = require('path');

module.exports = async (group) => {
  let world = await group.begin();
  await world.slc('ctl', 'create', 'web');
  group.values.socket = path.join(world.home, 'gateway.sock');
  await world.slc('gateway', 'start', '--listen', world.listen, '--listen', `unix:${group.values.socket}`);
  await group.play('beside a unix socket');
  await group.play('over a unix socket');
  await group.play('over a unix socket by its path');

  // As the original takes it.
  world = await group.begin([], { STRONGLOOP_PM_HTTP_AUTH: 'basic:user:pa55' });
  await world.slc('ctl', 'create', 'web');
  await group.play('without credentials');
  await group.play('with credentials');
  await group.play('a change with credentials', async () => assert.strictEqual((await world.view('web')).size, '2'));
  await group.play('a wrong password');
  await group.play('a user that is not there');
};
