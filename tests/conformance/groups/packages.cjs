'use strict';

const fs = require('fs');
const path = require('path');

const { APP } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  await world.startApp('web', 1);
  await world.slc('ctl', 'create', 'bare');

  const nameOf = (folder) => {
    const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    return `${name}@${version}`;
  };
  group.values.package = nameOf(APP);
  group.values.dependency = nameOf(path.join(APP, 'node_modules/express'));

  await group.play('direct ones only');
  await group.play('all');
  await world.slc('ctl', 'stop', 'web');
  await group.play('of a service that is stopped');
  await group.play('of a service without an app');
  await group.play('of a service that is not there');
};
