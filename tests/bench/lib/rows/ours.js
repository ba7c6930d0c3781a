// Targets of ours that ask no peer, or only plain node: commands with many services, memory and wake-ups of slcd and
// masters, soft restarts, what slc adds to a request.
'use strict';

const { alive, contextSwitches, cpuMicros, memoryKib } = require('../procfs');
const { sleep, until } = require('../command');
const { median, sum } = require('../numbers');
const { limit } = require('../targets');
const path = require('path');

const SERVICES = 200;
const WORKERS = 4;
const LINGER_MS = 500; // the default of --drain-linger
const PING_MS = 10000;
const CLIENTS = 32;

const split = (lines, commands) =>
  Array.from({ length: commands }, (_, i) => lines.filter((line) => line.command === i));

// Median of what `argv` takes longer than /bin/true, in turns with it.
async function aboveTrue(slc, rounds, argv) {
  const [nothing, ours] = split(await slc.world.time(['runs', rounds, '/bin/true', '---', ...argv], slc.env), 2);
  if (ours.some((line) => line.exit !== 0)) throw new Error(`${argv.join(' ')} failed`);
  return (median(ours.map((line) => line.wall_us)) - median(nothing.map((line) => line.wall_us))) / 1000;
}

async function many(slc) {
  const rounds = slc.world.quick ? 20 : 200;
  const { ms } = await slc.programs(SERVICES);
  const status_ms = await aboveTrue(slc, rounds, [slc.slc, 'ctl', 'status']);
  const wall = await slc.world.time(['runs', rounds, slc.slc, 'ctl', 'status'], slc.env);
  return { no_wait_s: ms / 1000, status_ms: median(wall.map((line) => line.wall_us)) / 1000, above_ms: status_ms };
}

// A service that runs already, so that slcd is there.
async function crowd(slc) {
  await slc.idle();
  return { crowd_s: (await slc.crowd(SERVICES)) / 1000 };
}

async function small(slc) {
  const { world } = slc;
  for (let i = 0; i < 3; i += 1) {
    const { port } = await slc.web({ workers: 2 });
    await world.load(1, { url: `http://127.0.0.1:${port}/`, mode: 'close', connections: 4, requests: 200 });
  }
  const ls_ms = await aboveTrue(slc, world.quick ? 20 : 400, [slc.slc, 'ctl', 'ls']);
  for (let i = 0; i < 5; i += 1) await slc.ctl('status');
  await sleep(world.quick ? 2000 : 15000);
  const kib = (pids) => Math.max(...pids.map((pid) => memoryKib(pid).uss));
  const result = { ls_ms, slcd_mb: kib(slc.daemonPids()) / 1024, master_mb: kib(slc.masterPids()) / 1024 };
  return { ...result, ...(await switches(slc)) };
}

// How often slcd and a master are put on a CPU when nothing happens.
async function switches(slc) {
  const seconds = slc.world.quick ? 20 : 60;
  const [slcd] = slc.daemonPids();
  const all = (pid) => {
    const { wakeUps, preemptions } = contextSwitches(pid);
    return wakeUps + preemptions;
  };
  // Begin in the middle between two pings, or one too many may fall into the time.
  const before = contextSwitches(slcd).wakeUps;
  for (let waited = 0; waited < PING_MS && contextSwitches(slcd).wakeUps === before; waited += 20) await sleep(20);
  await sleep(PING_MS / 2);
  const masters = slc.masterPids();
  const from = [slcd, ...masters].map(all);
  await sleep(seconds * 1000);
  const rates = [slcd, ...masters].map((pid, i) => (all(pid) - from[i]) / seconds);
  // 6 in 60.01 s is 0.1/s.
  return {
    slcd_switches: Math.round(rates[0] * 100) / 100,
    master_switches: Math.round(Math.max(...rates.slice(1)) * 100) / 100,
  };
}

// From exec until the port takes connections.
async function boot(slc) {
  const port = await slc.world.freePort();
  const [{ ms, pid }] = await slc.world.time(['listening', port, process.execPath, path.join(slc.apps, 'web.js')], {
    ...process.env,
    PORT: String(port),
  });
  process.kill(pid, 'SIGKILL');
  await until('plain node is gone', () => !alive(pid));
  return ms;
}

async function roll(slc, app, more) {
  const before = slc.workerPids();
  const boots = [await boot(slc)];
  const [line] = await slc.world.time(['runs', 1, slc.slc, 'ctl', 'soft-restart', ...more, app.name], slc.env);
  if (line.exit !== 0) throw new Error('slc ctl soft-restart failed');
  boots.push(await boot(slc), await boot(slc));
  await until('the old workers are gone', () => !before.some(alive));
  return {
    roll_s: line.wall_us / 1e6,
    budget_s: (WORKERS * (median(boots) + LINGER_MS)) / 1000,
    boot_ms: median(boots),
  };
}

// Both started anew: two processes of the same program differ by some percent for as long as they live (where their
// memory lies, what was optimised when), which no number of rounds on one pair would show.
async function overhead(world, names) {
  const figures = Object.fromEntries(names.map((name) => [name, { rounds: [] }]));
  const [pairs, rounds, requests] = world.quick ? [1, 2, 2000] : [8, 10, 8000];
  for (let pair = 0; pair < pairs; pair += 1) {
    const both = await Promise.all(names.map((name) => world.manager(name)));
    const apps = [];
    for (const manager of both) apps.push(await manager.web());
    const costs = async (i) => {
      const pids = [...both[i].managerPids(), ...apps[i].workers];
      const before = sum(pids.map(cpuMicros));
      const lane = await world.load(60, { url: `http://127.0.0.1:${apps[i].port}/`, connections: CLIENTS, requests });
      return { cpu_us: (sum(pids.map(cpuMicros)) - before) / lane.ok };
    };
    // Until the code is optimised.
    for (const i of [0, 1]) await costs(i);
    for (let round = 0; round < rounds; round += 1) {
      for (const i of round % 2 ? [1, 0] : [0, 1]) figures[names[i]].rounds.push(await costs(i));
    }
    for (const manager of both) await manager.close();
  }
  return figures;
}

const OURS = ['slc'];

module.exports = {
  cases: (world) => [
    { id: 'ours-many', metrics: [], managers: OURS, rounds: world.quick ? 1 : 3, measure: many },
    { id: 'ours-crowd', metrics: [], managers: OURS, rounds: world.quick ? 1 : 5, measure: crowd },
    { id: 'ours-small', metrics: [], managers: OURS, rounds: 1, measure: small },
    ...[
      ['ours-roll', []],
      ['ours-roll-parallel', ['--parallel', '4']],
    ].map(([id, more]) => ({
      id,
      metrics: [],
      managers: OURS,
      rounds: world.quick ? 1 : 7,
      open: (slc) => slc.web({ workers: WORKERS }),
      measure: (slc, app) => roll(slc, app, more),
    })),
    {
      id: 'ours-overhead',
      metrics: [
        {
          key: 'cpu_us',
          group: 'd',
          unit: 'µs',
          title: 'keep-alive, 1 worker, fresh pairs: CPU of managers and worker, a request',
        },
      ],
      managers: ['slc', 'plain'],
      run: overhead,
    },
  ],
  targets: (stored) => [
    limit(stored, 'ours-small', 'ls_ms', '`slc ctl ls`, wall time above `/bin/true`', 3, 'ms', '≤'),
    limit(stored, 'ours-many', 'status_ms', `\`slc ctl status\` with ${SERVICES} services, wall time`, 6, 'ms', '≤'),
    limit(
      stored,
      'ours-many',
      'no_wait_s',
      `${SERVICES} services, started one by one with --no-wait: until the last runs`,
      2,
      's',
      '≤',
    ),
    limit(
      stored,
      'ours-crowd',
      'crowd_s',
      `a service of ${SERVICES} trivial workers: until the last runs`,
      0.3,
      's',
      '≤',
    ),
    limit(stored, 'ours-roll-parallel', 'roll_s', 'soft-restart --parallel 4 of 4 workers', 0.35, 's', '≤'),
    limit(
      stored,
      'ours-roll',
      'roll_s',
      'soft-restart of 4 workers, no load: at most 4 × (boot + linger) + 10 %',
      1.1 * median(stored['ours-roll'] ? stored['ours-roll'].figures.slc.rounds.map((one) => one.budget_s) : [0]),
      's',
      '≤',
    ),
    limit(stored, 'ours-small', 'slcd_mb', 'slcd, idle, 3 services, private', 1.5, 'MB', '≤'),
    limit(stored, 'ours-small', 'master_mb', 'each slc-master, idle, private (the largest of 3)', 0.2, 'MB', '≤'),
    limit(stored, 'ours-small', 'slcd_switches', 'slcd, idle, 3 instances, context switches', 0.4, '/s', '≤'),
    limit(
      stored,
      'ours-small',
      'master_switches',
      'slc-master, idle, context switches (the busiest of 3)',
      0.1,
      '/s',
      '≤',
    ),
    limit(
      stored,
      'ours-overhead',
      'cpu_us',
      'keep-alive, 1 worker: CPU of worker and master, a request',
      1.03,
      '×',
      '≤',
      'plain',
      'no manager',
    ),
  ],
};
