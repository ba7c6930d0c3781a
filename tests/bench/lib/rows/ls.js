// What `slc ctl ls` costs whoever types it.
'use strict';

const path = require('path');
const { median, round, spread } = require('../numbers');

// One command after the other, so that both see the same machine.
function split(lines, commands) {
  return Array.from({ length: commands }, (_, i) => lines.filter((line) => line.command === i));
}

module.exports = (world) => world.withSlc(async (slc) => world.withPm2(async (pm2) => {
  const tiny = path.join(world.apps, 'tiny.js');
  await slc.start('tiny', tiny, 1, await world.freePort());
  const ours = [slc.program, 'ctl', 'ls'];
  const [nothing, list] = split(
    await world.time(['runs', world.quick ? 20 : 400, '/bin/true', '---', ...ours], slc.env), 2);
  if (list.some((line) => line.exit !== 0)) throw new Error('slc ctl ls failed');
  const above = list.map((line, i) => (line.wall_us - nothing[i].wall_us) / 1000);
  const wall = median(list.map((line) => line.wall_us)) - median(nothing.map((line) => line.wall_us));
  const results = [{
    what: '`slc ctl ls`, median wall time above `/bin/true`',
    target: '≤ 3 ms',
    measured: `${round(wall / 1000)} ms`,
    met: wall <= 3000,
    data: { above_ms: above, rounds: list.length, spread: spread(above) },
  }];
  if (!pm2) return results;

  await pm2.start('tiny', tiny, 1, await world.freePort());
  const pairs = split(await world.time(
    ['runs', world.quick ? 2 : 15, ...pm2.command, 'list', '---', ...ours], { ...pm2.env, ...slc.env }), 2);
  if (pairs[0].some((line) => line.exit !== 0)) throw new Error('pm2 list failed');
  const [theirs, own] = pairs.map((lines) => median(lines.map((line) => line.cpu_us)));
  results.push({
    what: '`slc ctl ls`, client CPU',
    target: '≤ 1/50 of `pm2 list`',
    measured: `${round(own / 1000)} ms, 1/${Math.round(theirs / own)}`,
    peer: `\`pm2 list\` ${round(theirs / 1000, 0)} ms`,
    met: own * 50 <= theirs,
    data: { slc_us: own, pm2_us: theirs, lines: pairs },
  });
  return results;
}));
