// What the machine itself takes: no manager can be better.
'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { run, runBeside, sleep, until } = require('../command');
const { median } = require('../numbers');
const { memoryKib } = require('../procfs');

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
  const shell = {
    file: `${command} >${log}`,
    cat: `${command} | cat >${log}`,
    splice: `${command} | ${manager.program} splice ${log}`,
  }[how];
  const child = spawn('/bin/sh', ['-c', shell], { stdio: 'ignore', env: manager.env });
  await until('all is printed', () => fs.existsSync(result) && fs.readFileSync(result, 'utf8').endsWith('\n'));
  child.kill('SIGKILL');
  const [from, to] = fs.readFileSync(result, 'utf8').split(' ').map(BigInt);
  fs.rmSync(log);
  return MEGABYTES / (Number(to - from) / 1e9);
}

// A daemon on libuv that does nothing, built against the shared or the static libraries.
async function empty(manager, name, ...link) {
  const program = path.join(manager.folder, name);
  await run('cc', ['-O2', '-o', program, path.join(manager.apps, 'empty.c'), ...link]);
  const daemon = runBeside(program, [], { env: manager.env });
  await sleep(500);
  const { rss, uss } = memoryKib(daemon.pid);
  await daemon.stop();
  return { [`${name}_rss`]: rss / 1024, [`${name}_uss`]: uss / 1024 };
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
    splice_mb_s: await printed(manager, 'splice'),
    cat_mb_s: await printed(manager, 'cat'),
    ...(await empty(manager, 'shared', '-luv')),
    ...(await empty(manager, 'static', '-static', '-luv_a', '-lpthread', '-ldl')),
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
        { key: 'splice_mb_s', group: 'h', title: '100 MB of lines, by splice', unit: 'MB/s', better: 'more' },
        {
          key: 'cat_mb_s',
          group: 'h',
          title: '100 MB of lines, through a pipe and `cat` into a file',
          unit: 'MB/s',
          better: 'more',
        },
        { key: 'shared_rss', group: 'h', title: 'empty libuv daemon, shared: RSS', unit: 'MB' },
        { key: 'shared_uss', group: 'h', title: 'empty libuv daemon, shared: private', unit: 'MB' },
        { key: 'static_rss', group: 'h', title: 'empty libuv daemon, static: RSS', unit: 'MB' },
        { key: 'static_uss', group: 'h', title: 'empty libuv daemon, static: private', unit: 'MB' },
      ],
      managers: ['plain'],
      rounds: world.quick ? 1 : 5,
      measure,
    },
  ],
  targets: () => [],
};
