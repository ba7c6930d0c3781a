// The manager is killed: who lives on, and what stands after it was started again. slc is struck three ways: slcd,
// the masters, and all at once.
'use strict';

const { alive } = require('../procfs');
const { sleep, until } = require('../command');

const LANE = { keepalive: { mode: 'keepalive' }, close: { mode: 'close' } };
const PROGRAMS = 5;
const WEB = ['slc', 'slc-master', 'slc-both', 'pm2', 'strong', 'cluster-rr', 'forever', 'supervisord', 'runit'];

function victims(manager, blow) {
  if (blow === 'slc') return manager.daemonPids();
  if (blow === 'slc-master') return manager.masterPids();
  return manager.managerPids();
}

function strike(manager, blow) {
  const pids = victims(manager, blow);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return until('the manager is dead', () => !pids.some(alive));
}

async function revived(manager) {
  if (manager.kind === 'slc') return manager.ctl('ls');
  if (manager.revive) return manager.revive();
  return null;
}

async function web(manager, blow, mode, workers) {
  const app = await manager.web({ workers });
  if (manager.save) await manager.save();
  await sleep(1000);
  const load = manager.world.beginLoad(
    { url: `http://127.0.0.1:${app.port}/`, connections: 40, rate: 400, ...LANE[mode] },
    5000,
  );
  await sleep(1000);
  await strike(manager, blow);
  await sleep(1500);
  const survive = app.workers.filter(alive).length;
  await revived(manager);
  await sleep(2500);
  const lane = await load.stop();
  const now = manager.workerPids();
  return {
    survive,
    fresh: now.filter((pid) => !app.workers.includes(pid)).length,
    failed: lane.failures.total,
  };
}

async function programs(manager, blow) {
  await manager.programs(PROGRAMS);
  if (manager.save) await manager.save();
  const before = manager.workerPids();
  await sleep(1000);
  await strike(manager, blow);
  await sleep(1500);
  const survive = before.filter(alive).length;
  await revived(manager);
  await sleep(2500);
  return { survive, fresh: manager.workerPids().filter((pid) => !before.includes(pid)).length };
}

// Each blow to slc is a column of its own kind of slc.
async function run(world, names, measure) {
  const figures = {};
  for (const name of names) {
    const figure = { rounds: [] };
    figures[name] = figure;
    let manager;
    try {
      manager = await world.manager(name.startsWith('slc') ? 'slc' : name);
      figure.rounds.push(await measure(manager, name));
    } catch (error) {
      figure.why = error.message;
    } finally {
      if (manager) await manager.close();
    }
  }
  return figures;
}

const metrics = (what, load) => [
  { key: 'survive', group: 'f', title: `manager killed, ${what}: live on`, unit: '', better: 'more' },
  {
    key: 'fresh',
    group: 'f',
    title: `manager killed, ${what}: new ones beside or instead`,
    unit: '',
    better: 'neither',
  },
  ...(load
    ? [{ key: 'failed', group: 'f', title: `manager killed, ${what}: failed requests of 400/s`, unit: '' }]
    : []),
];

module.exports = {
  cases: () => [
    ...[4, 1].flatMap((workers) =>
      Object.keys(LANE).map((mode) => ({
        id: `killed-${workers}-${mode}`,
        metrics: metrics(
          `${workers} worker${workers > 1 ? 's' : ''}, ${mode === 'close' ? 'a connection per request' : mode}`,
          true,
        ),
        managers: workers === 1 ? WEB.filter((name) => name !== 'cluster-rr') : WEB,
        run: (world, names) => run(world, names, (manager, blow) => web(manager, blow, mode, workers)),
      })),
    ),
    {
      id: 'killed-programs',
      metrics: metrics(`${PROGRAMS} programs`, false),
      managers: WEB.filter((name) => !['strong', 'cluster-rr'].includes(name)),
      run: (world, names) => run(world, names, programs),
    },
  ],
  targets: () => [],
};
