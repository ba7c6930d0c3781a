'use strict';

const { until } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  const port = await world.startApp('web', 1);
  group.values.port = port;
  await world.slc('ctl', 'create', 'bare');

  // Until they are in the log: the app's answer says that they were written, not that they were read.
  const write = async (text, n = 1) => {
    await fetch(`http://127.0.0.1:${port}/log?n=${n}&text=${text}`);
    await until(`'${text} ${n}' in the log`, async () => (await world.slc('logs', 'web')).includes(`${text} ${n}`));
  };

  await group.play('the log');
  await group.play('what was dumped is not dumped again');
  await write('news', 2);
  await group.play('what came since');
  await write('before');
  // It asks once a second, and has asked once when this comes.
  const later = setTimeout(() => { write('meanwhile').catch(() => {}); }, 3000);
  await group.play('for ever');
  clearTimeout(later);
  await write('last');
  await world.slc('ctl', 'stop', 'web');
  await group.play('of a service that is stopped');
  await group.play('of a service without an app');
  await group.play('of a service that is not there');
};
