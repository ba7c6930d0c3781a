// Many programs that cost nothing themselves: what it takes to start, list and keep them.
'use strict';

const { contextSwitches, cpuMicros, memoryKib } = require('../procfs');
const { median, sum } = require('../numbers');
const { sleep } = require('../command');
const { limit } = require('../targets');

const MANAGERS = ['slc', 'pm2', 'forever', 'supervisord', 'runit'];
// 200 monitors of 65 MB each are no sensible thing to do.
const FOREVER_MOST = 50;

const cpu = (pids) => sum(pids.map(cpuMicros));

async function idle(pids, seconds) {
  const count = () =>
    pids
      .map(contextSwitches)
      .reduce((a, b) => ({ wakeUps: a.wakeUps + b.wakeUps, preemptions: a.preemptions + b.preemptions }), {
        wakeUps: 0,
        preemptions: 0,
      });
  const [switches, micros, begin] = [count(), cpu(pids), process.hrtime.bigint()];
  await sleep(seconds * 1000);
  const [after, spent] = [count(), cpu(pids) - micros];
  const elapsed = Number(process.hrtime.bigint() - begin) / 1e9;
  return {
    idle_cpu: spent / 1e4 / elapsed,
    wake_ups: (after.wakeUps - switches.wakeUps) / elapsed,
    preemptions: (after.preemptions - switches.preemptions) / elapsed,
  };
}

async function listed(manager, rounds) {
  try {
    const lines = await manager.world.time(['runs', rounds, ...manager.listCommand()], manager.env);
    if (lines.some((line) => line.exit !== 0)) throw new Error('the list failed');
    return {
      list_ms: median(lines.map((line) => line.wall_us)) / 1000,
      list_cpu_ms: median(lines.map((line) => line.cpu_us)) / 1000,
    };
  } catch {
    return {};
  }
}

async function measure(manager, count) {
  const { quick } = manager.world;
  if (manager.kind === 'forever' && count > FOREVER_MOST) manager.unable('65 MB of monitor for each');
  const { ms } = await manager.programs(count);
  const pids = manager.managerPids();
  const cpu_ms = cpu(pids) / 1000;
  const list = await listed(manager, quick ? 3 : 15);
  // What is left of starting is not idleness.
  await sleep(quick ? 2000 : 15000);
  const memory = pids.map(memoryKib);
  const masters = manager.masterPids ? manager.masterPids().map((pid) => memoryKib(pid).uss) : [];
  return {
    start_ms: ms,
    start_cpu_ms: cpu_ms,
    ...list,
    rss: sum(memory.map((one) => one.rss)) / 1024,
    uss: sum(memory.map((one) => one.uss)) / 1024,
    masters_uss: sum(masters) / 1024,
    ...(count === 50 ? await idle(pids, quick ? 10 : 60) : {}),
  };
}

function metrics(count) {
  const many = count === 1 ? '1 program' : `${count} programs`;
  const all = [
    { key: 'rss', group: 'a', title: `${many}: managers, RSS`, unit: 'MB' },
    { key: 'uss', group: 'a', title: `${many}: managers, private`, unit: 'MB' },
    { key: 'list_ms', group: 'b', title: `list, ${many}`, unit: 'ms' },
    { key: 'list_cpu_ms', group: 'b', title: `list, ${many}: CPU of the client`, unit: 'ms' },
    { key: 'start_ms', group: 'g', title: `start of ${many}`, unit: 'ms' },
    { key: 'start_cpu_ms', group: 'g', title: `start of ${many}: CPU of the managers`, unit: 'ms' },
  ];
  if (count !== 50) return all;
  return [
    ...all,
    { key: 'idle_cpu', group: 'c', title: `idle, ${many}: CPU of the managers`, unit: '%', digits: 3 },
    { key: 'wake_ups', group: 'c', title: `idle, ${many}: wake-ups of the managers`, unit: '/s' },
  ];
}

module.exports = {
  cases: (world) =>
    [1, 50, 200].map((count) => ({
      id: `programs-${count}`,
      metrics: metrics(count),
      managers: MANAGERS,
      rounds: world.quick ? 1 : 3,
      measure: (manager) => measure(manager, count),
    })),
  targets: (stored) => [
    limit(
      stored,
      'programs-200',
      'masters_uss',
      'the masters of 200 trivial services together, private',
      42,
      'MB',
      '<',
    ),
    limit(
      stored,
      'programs-1',
      'list_cpu_ms',
      '`slc ctl ls`, CPU of the client, against `pm2 list`',
      1 / 50,
      '×',
      '≤',
      'pm2',
      'of `pm2 list`',
    ),
  ],
};
