'use strict';

const { freePort } = require('../world.cjs');

module.exports = async (group) => {
  await group.begin();
  group.values.nobody = await freePort();
  for (const name of group.cases.keys()) await group.play(name);
};
