'use strict';

const assert = require('assert');

module.exports = async (group) => {
  const world = await group.begin();
  const port = await world.startApp('web', 1);
  group.values.port = port;
  await world.slc('ctl', 'create', 'bare');

  // As the app has it.
  const seen = async (name) => (await (await fetch(`http://127.0.0.1:${port}/env?name=${name}`)).json()).value;
  const pid = async () => world.workers(await world.view('web'))[0].pid;

  await group.play('nothing is set');
  await group.play('set', async () => {
    assert.strictEqual(await seen('BAZ'), 'a=b');
    assert.strictEqual(await seen('MSG'), 'hello world');
  });
  const before = await pid();
  await group.play('the same again', async () => assert.strictEqual(await pid(), before));
  await group.play('all');
  await group.play('some');
  await group.play('none of these');
  await group.play('in the status');
  await group.play('unset', async () => assert.strictEqual(await seen('BAZ'), null));
  await group.play('by the short name');
  await group.play('unset the rest', async () => assert.strictEqual(await seen('FOO'), null));
  await world.slc('ctl', 'stop', 'web');
  await group.play('set while stopped', async () => {
    assert.deepStrictEqual(world.workers(await world.view('web')), []);
    await world.slc('ctl', 'start', 'web');
    assert.strictEqual(await seen('STOPPEDVAR'), 'yes');
  });
  await group.play('of a service without an app');
  for (const verb of ['get', 'set', 'unset']) await group.play(`${verb} nosuch`);
};
