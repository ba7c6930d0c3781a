// What is saved gets damaged while nothing runs: how many of 5 programs are back after the next start.
'use strict';

const fs = require('fs');
const path = require('path');
const { alive } = require('../procfs');
const { sleep, until } = require('../command');

const PROGRAMS = 5;
const DAMAGES = {
  'cut to half': (file) => fs.truncateSync(file, fs.statSync(file).size >> 1),
  'emptied': (file) => fs.truncateSync(file, 0),
  'garbage': (file) => fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size, 0xa5)),
  'missing': (file) => fs.unlinkSync(file),
};

// {main: what is read, all: with its spare copies}
function files(manager) {
  if (manager.kind === 'pm2') {
    const main = path.join(manager.home, 'dump.pm2');
    return { main: [main], all: [main, `${main}.bak`].filter((file) => fs.existsSync(file)) };
  }
  const folder = path.join(manager.home, 'services');
  const of = (pattern) =>
    fs
      .readdirSync(folder)
      .filter((name) => pattern.test(name))
      .map((name) => path.join(folder, name));
  return { main: of(/^\d+\.json$/), all: of(/^\d+\.json/) };
}

async function measure(manager, which, damage) {
  await manager.programs(PROGRAMS);
  // Twice, or PM2 has no spare copy.
  if (manager.save) await manager.save().then(() => manager.save());
  else
    for (const service of await manager.json('status'))
      await manager.ctl('env-set', '--no-restart', service.name, 'A=1');
  const pids = manager.workerPids();
  if (manager.kind === 'pm2') await manager.run([...manager.pm2, 'kill']);
  else await manager.ctl('shutdown');
  await until('all is down', () => !pids.some(alive));
  for (const file of files(manager)[which]) DAMAGES[damage](file);
  if (manager.kind === 'pm2') await manager.revive();
  else await manager.ctl('ls');
  await sleep(2500);
  return { back: manager.workerPids().length };
}

module.exports = {
  cases: () =>
    Object.keys(DAMAGES).flatMap((damage) =>
      ['main', 'all'].map((which) => ({
        id: `state-${damage.replaceAll(' ', '-')}-${which}`,
        metrics: [
          {
            key: 'back',
            group: 'f',
            unit: '',
            better: 'more',
            title: `saved state ${damage}, ${which === 'all' ? 'spare copies too' : 'spare copies whole'}: of 5 are back`,
          },
        ],
        managers: ['slc', 'pm2'],
        rounds: 1,
        measure: (manager) => measure(manager, which, damage),
      })),
    ),
  targets: () => [],
};
