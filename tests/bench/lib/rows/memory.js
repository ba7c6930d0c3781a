// Memory that only slcd, or only one slc-master, has (Private_Clean + Private_Dirty), after some work.
'use strict';

const path = require('path');
const { privateKib } = require('../procfs');
const { round } = require('../numbers');
const { sleep } = require('../command');

const MASTERS = 3;
const megabytes = (kib) => `${round(kib / 1024)} MB`;

module.exports = (world) => world.withSlc(async (slc) => world.withPm2(async (pm2) => {
  const tiny = path.join(world.apps, 'tiny.js');
  const masters = [];
  for (let i = 1; i <= MASTERS; i += 1) {
    const port = await world.freePort();
    const { master } = await slc.start(`tiny${i}`, tiny, 2, port);
    masters.push(master);
    await world.load(1, { url: `http://127.0.0.1:${port}/`, mode: 'close', connections: 4, requests: 200 });
  }
  for (let i = 0; i < 5; i += 1) await slc.run('ctl', 'status');
  if (pm2) await pm2.start('tiny', tiny, 2, await world.freePort());
  await sleep(world.quick ? 2000 : 12000);
  const daemon = privateKib(await slc.daemon());
  const each = masters.map(privateKib);
  const most = Math.max(...each);
  const theirs = pm2 && privateKib(pm2.daemon());
  // Not part of the target, but a master lives through some: what its heap keeps of them.
  for (let i = 0; i < 3; i += 1) await slc.run('ctl', 'soft-restart', 'tiny1');
  await sleep(world.quick ? 2000 : 12000);
  const restarted = privateKib(masters[0]);
  return [{
    what: `slcd, idle, private memory (${MASTERS} services)`,
    target: '≤ 1.5 MB',
    measured: megabytes(daemon),
    peer: pm2 && `PM2's daemon (1 service) ${megabytes(theirs)}`,
    met: daemon <= 1.5 * 1024,
    data: { slcd_kib: daemon, pm2_kib: theirs },
  }, {
    what: `each slc-master, idle, private memory (the largest of ${MASTERS})`,
    target: '≤ 0.2 MB',
    measured: `${round(most / 1024, 3)} MB (${round(restarted / 1024, 3)} MB after 3 soft-restarts)`,
    met: most <= 0.2 * 1024,
    data: { masters_kib: each, restarted_kib: restarted },
  }];
}));
