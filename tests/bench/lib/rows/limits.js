// What the machine itself takes: no manager can be better.
'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { until } = require('../command');
const { median } = require('../numbers');

const MEGABYTES = 100;

async function spawned(manager, count) {
  const { world } = manager;
  const [line] = await world.time(['spawn', count, '/bin/true']);
  return line.ms;
}

async function printed(manager, how) {
  const result = path.join(manager.folder, `printed-${how}`);
  const log = path.join(manager.folder, `log-${how}`);
  const command = `${manager.program} print ${MEGABYTES} ${result}`;
  const shell = { file: `${command} >${log}`, cat: `${command} | cat >${log}` }[how];
  const child = spawn('/bin/sh', ['-c', shell], { stdio: 'ignore', env: manager.env });
  await until('all is printed', () => fs.existsSync(result) && fs.readFileSync(result, 'utf8').endsWith('\n'));
  child.kill('SIGKILL');
  const [from, to] = fs.readFileSync(result, 'utf8').split(' ').map(BigInt);
  fs.rmSync(log);
  return MEGABYTES / (Number(to - from) / 1e9);
}

async function measure(manager) {
  const { world } = manager;
  const runs = async (count, ...argv) =>
    median((await world.time(['runs', count, ...argv])).map((line) => line.wall_us)) / 1000;
  return {
    true_ms: await runs(20, '/bin/true'),
    node_ms: await runs(5, process.execPath, '-e', '0'),
    spawn_50: await spawned(manager, 50),
    spawn_200: await spawned(manager, 200),
    file_mb_s: await printed(manager, 'file'),
    cat_mb_s: await printed(manager, 'cat'),
  };
}

module.exports = {
  cases: (world) => [
    {
      id: 'limits',
      metrics: [
        { key: 'true_ms', group: 'h', title: '/bin/true', unit: 'ms' },
        { key: 'node_ms', group: 'h', title: '`node -e 0`', unit: 'ms' },
        { key: 'spawn_50', group: 'h', title: '50 processes by posix_spawn', unit: 'ms' },
        { key: 'spawn_200', group: 'h', title: '200 processes by posix_spawn', unit: 'ms' },
        { key: 'file_mb_s', group: 'h', title: '100 MB of lines, into a file', unit: 'MB/s', better: 'more' },
        {
          key: 'cat_mb_s',
          group: 'h',
          title: '100 MB of lines, through a pipe and `cat` into a file',
          unit: 'MB/s',
          better: 'more',
        },
      ],
      managers: ['plain'],
      rounds: world.quick ? 1 : 5,
      measure,
    },
  ],
  targets: () => [],
};
