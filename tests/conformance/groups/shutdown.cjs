'use strict';

const assert = require('assert');
const fs = require('fs');

const { until } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  await world.startApp('web', 1);
  const pids = (await world.view('web')).processes.map((process) => process.pid);
  await group.play('shutdown', async () => {
    for (const pid of pids) assert(!fs.existsSync(`/proc/${pid}`), `process ${pid} is still there`);
    await until('the end of slcd', () => world.isOver());
  });
  await group.play('nobody is there any more');
};
