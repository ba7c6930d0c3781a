// Programs that print as fast as they can: how fast it is written, what it costs, what is lost, and what a neighbour
// notices. And a log without room.
'use strict';

const fs = require('fs');
const path = require('path');
const { execFileSync, spawn } = require('child_process');
const { alive, cpuMicros, forgetPeak, peakKib } = require('../procfs');
const { run, sleep, until } = require('../command');
const { sum } = require('../numbers');
const { limit } = require('../targets');

const MEGABYTES = 100;
const LINE = 100;
const LINES = (MEGABYTES * 1e6) / LINE;
const PROGRAM = ['slc', 'pm2', 'forever', 'supervisord', 'runit', 'plain'];
const NODE = ['slc', 'pm2', 'forever', 'strong', 'supervisord', 'runit', 'cluster-rr', 'plain'];
// Nothing is rotated or compressed, as with the others.
const LARGE = ['--log-size', '1G', '--log-files', '2'];
const FULL_MB = 3;

const spent = (pids) => sum(pids.filter(alive).map(cpuMicros)) / 1e6;
const peak = (pids) => Math.max(0, ...pids.filter(alive).map(peakKib)) / 1024;

// How each is told to run `file` with `args`; gives the file that its output lands in.
const STARTS = {
  slc: async (manager, { name, file, args }) => {
    const command = file.endsWith('.js')
      ? [
          manager.slc,
          'start',
          '--no-wait',
          '--ready',
          'alive',
          '--name',
          name,
          '--size',
          1,
          ...LARGE,
          file,
          '--',
          ...args,
        ]
      : manager.programCommand(name, 1, args, ...LARGE);
    await manager.run(command);
    return path.join(manager.home, 'logs', name, 'out.log');
  },
  pm2: async (manager, { name, file, args }) => {
    const log = path.join(manager.folder, `${name}.out`);
    const kind = file.endsWith('.js') ? ['-i', 1] : ['--interpreter', 'none'];
    await manager.run([
      ...manager.pm2,
      'start',
      file,
      '--name',
      name,
      '-o',
      log,
      '--merge-logs',
      ...kind,
      '--',
      ...args,
    ]);
    return log;
  },
  forever: async (manager, { name, file, args }) => {
    let script = [file, ...args];
    if (!file.endsWith('.js')) {
      const wrapper = path.join(manager.apps, `${name}.sh`);
      fs.writeFileSync(wrapper, `exec ${file} ${args.join(' ')}\n`);
      script = ['-c', '/bin/sh', wrapper];
    }
    await manager.start(name, script);
    return path.join(manager.folder, `${name}.out`);
  },
  supervisord: async (manager, { name, file, args }) => {
    manager.add({ name, command: [...(file.endsWith('.js') ? [process.execPath] : []), file, ...args] });
    await manager.apply();
    return path.join(manager.folder, `${name}.out`);
  },
  runit: async (manager, { name, file, args }) => {
    manager.add(name, [...(file.endsWith('.js') ? [process.execPath] : []), file, ...args], {}, true);
    manager.ensure();
    return path.join(manager.folder, `${name}.log/current`);
  },
  strong: async (manager, { name, file, args }) => {
    const [result] = args.slice(-1);
    await manager.startWeb({
      name,
      script: file,
      workers: 1,
      port: 1,
      env: { BENCH_MB: args[0], BENCH_RESULT: result },
    });
    return path.join(manager.folder, `${name}.log`);
  },
};

// Into `cat`: what it is without anybody who manages.
function intoCat(manager, { file, args }) {
  const log = path.join(manager.folder, 'cat.out');
  const argv = [...(file.endsWith('.js') ? [process.execPath] : []), file, ...args].join(' ');
  spawn('/bin/sh', ['-c', `${argv} | cat >${log}`], { env: manager.env, stdio: 'ignore' });
  return log;
}

// Straight into a file, as Node's cluster leaves it to who starts it.
async function intoFile(manager, { args }) {
  const log = path.join(manager.folder, 'cluster.out');
  const [primary, script] = ['primary.js', 'print.js'].map((name) => path.join(manager.apps, name));
  manager.primary = spawn(process.execPath, [primary, script, '1'], {
    env: { ...manager.env, BENCH_MB: args[0], BENCH_RESULT: args[1] },
    stdio: ['ignore', fs.openSync(log, 'w'), 'ignore'],
  });
  return log;
}

const begin = (manager, what) => {
  if (manager.kind === 'plain') return intoCat(manager, what);
  if (manager.kind === 'cluster-rr') return intoFile(manager, what);
  return STARTS[manager.kind](manager, what);
};

async function prepare(manager) {
  if (manager.kind === 'slc' || manager.kind === 'supervisord' || manager.kind === 'pm2') await manager.idle();
}

const numbers = (file, pattern) => Number(execFileSync('grep', ['-acE', pattern, file], { encoding: 'utf8' }));

async function flood(manager, file, printArgs) {
  await prepare(manager);
  const result = path.join(manager.folder, 'printed');
  const standing = manager.managerPids();
  const before = spent(standing);
  standing.forEach(forgetPeak);
  const log = await begin(manager, { name: 'flood', file, args: printArgs(result) });
  const dropped = async () => (manager.kind === 'slc' ? (await manager.service('flood')).log_lines_dropped : 0);
  const size = () => (fs.existsSync(log) ? fs.statSync(log).size : 0);
  await until(
    'all is printed',
    () => fs.existsSync(result) && fs.readFileSync(result, 'utf8').endsWith('\n'),
    120000,
  );
  // Written is what does not grow any more.
  let [last, at] = [size(), process.hrtime.bigint()];
  for (let still = process.hrtime.bigint(); process.hrtime.bigint() - still < 500_000_000n; ) {
    await sleep(5);
    const now = size();
    if (now !== last) {
      at = process.hrtime.bigint();
      still = at;
      last = now;
    }
  }
  const own = manager.managerPids();
  // Of a C program the third is how many writes were refused.
  const [from, to, peakOfApp] = fs.readFileSync(result, 'utf8').trim().split(' ').map(BigInt);
  const end = at > to && last > 0 ? at : to;
  const written = numbers(log, '^[^ ]* ?.*[0-9]{9}x{90}');
  const lost = await dropped();
  return {
    mb_per_s: MEGABYTES / (Number((manager.kind === 'plain' ? to : end) - from) / 1e9),
    cpu_s: spent(own) - before,
    manager_mb: peak(own),
    app_mb: file.endsWith('.js') ? Number(peakOfApp) / 1024 : undefined,
    written,
    dropped: lost,
    missing: LINES - written - lost,
  };
}

// p99 of another service in the same manager, without a flood and with one.
async function neighbour(manager) {
  const { world } = manager;
  const app = await manager.web({ workers: 1 });
  const seconds = world.quick ? 2 : 6;
  const lane = () => world.load(seconds, { url: `http://127.0.0.1:${app.port}/`, connections: 8, rate: 300 });
  await lane();
  const calm = await lane();
  const result = path.join(manager.folder, 'printed');
  await begin(manager, { name: 'flood', file: manager.program, args: ['again', String(MEGABYTES), result] });
  await until('the flood has begun', () => fs.existsSync(result), 60000);
  const flooded = await lane();
  return {
    calm_ms: calm.latency_ms.p99,
    flooded_ms: flooded.latency_ms.p99,
    rise: (flooded.latency_ms.p99 / calm.latency_ms.p99 - 1) * 100,
  };
}

// 3 MB into a file system of 1 MB.
async function full(manager) {
  if (process.getuid() !== 0) manager.unable('needs root');
  const folder = path.join(manager.folder, 'small');
  fs.mkdirSync(folder);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=755', 'tmpfs', folder]);
  manager.world.onClose(() => run('umount', ['-l', folder]).catch(() => {}));
  await prepare(manager);
  for (const name of ['flood.out', 'flood.log'])
    fs.symlinkSync(path.join(folder, name), path.join(manager.folder, name));
  if (manager.kind === 'slc') fs.symlinkSync(folder, path.join(manager.home, 'logs/flood'));
  if (manager.kind === 'runit') fs.mkdirSync(path.join(folder, 'flood.log'));
  const result = path.join(manager.folder, 'printed');
  const standing = manager.managerPids();
  await begin(manager, { name: 'flood', file: manager.program, args: ['print', String(FULL_MB), result] });
  await sleep(3000);
  const workers = manager.workerPids();
  return {
    printed: fs.existsSync(result) ? 1 : 0,
    app: workers.length,
    manager: standing.filter(alive).length === standing.length && manager.managerPids().length > 0 ? 1 : 0,
  };
}

const metrics = (what, node) => [
  { key: 'mb_per_s', group: 'f', title: `${what} prints 100 MB: written`, unit: 'MB/s', better: 'more' },
  { key: 'cpu_s', group: 'f', title: `${what} prints 100 MB: CPU of the managers`, unit: 's' },
  { key: 'manager_mb', group: 'f', title: `${what} prints 100 MB: the largest manager, most RSS`, unit: 'MB' },
  ...(node
    ? [{ key: 'app_mb', group: 'f', title: `${what} prints 100 MB: the app itself, most RSS`, unit: 'MB' }]
    : []),
  {
    key: 'missing',
    group: 'f',
    title: `${what} prints 100 MB: lines neither written nor counted as dropped, of 1,000,000`,
    unit: '',
  },
];

module.exports = {
  cases: (world) => [
    {
      id: 'flood-program',
      metrics: metrics('a C program', false),
      managers: PROGRAM,
      rounds: world.quick ? 1 : 5,
      measure: (manager) => flood(manager, manager.program, (result) => ['print', String(MEGABYTES), result]),
    },
    {
      id: 'flood-node',
      metrics: metrics('a Node app', true),
      managers: NODE,
      rounds: world.quick ? 1 : 3,
      measure: (manager) =>
        flood(manager, path.join(manager.apps, 'print.js'), (result) => [String(MEGABYTES), result]),
    },
    {
      id: 'flood-neighbour',
      metrics: [
        { key: 'calm_ms', group: 'f', title: 'p99 of a web app beside, without a flood', unit: 'ms' },
        {
          key: 'flooded_ms',
          group: 'f',
          title: 'p99 of a web app beside, while a C program floods the log',
          unit: 'ms',
        },
      ],
      managers: ['slc', 'pm2', 'forever', 'supervisord', 'runit', 'plain'],
      rounds: world.quick ? 1 : 3,
      measure: neighbour,
    },
    {
      id: 'full',
      metrics: [
        {
          key: 'printed',
          group: 'f',
          title: 'no room for the log: the program could print (1: yes)',
          unit: '',
          better: 'more',
        },
        {
          key: 'app',
          group: 'f',
          title: 'no room for the log: programs that run on, of 1',
          unit: '',
          better: 'more',
        },
        {
          key: 'manager',
          group: 'f',
          title: 'no room for the log: the manager runs on (1: yes)',
          unit: '',
          better: 'more',
        },
      ],
      managers: ['slc', 'pm2', 'forever', 'supervisord', 'runit'],
      rounds: 1,
      measure: full,
    },
  ],
  targets: (stored) => [
    limit(stored, 'flood-program', 'mb_per_s', 'a C program prints 100 MB: written at', 300, 'MB/s', '≥'),
    limit(
      stored,
      'flood-program',
      'cpu_s',
      'a C program prints 100 MB: CPU of master and slcd, gzip not counted',
      0.2,
      's',
      '≤',
    ),
    limit(stored, 'flood-program', 'manager_mb', 'a C program prints 100 MB: the master at most, RSS', 16, 'MB', '≤'),
    limit(
      stored,
      'flood-program',
      'missing',
      'a C program prints 100 MB: produced - written - dropped',
      0,
      'lines',
      '≤',
    ),
    limit(stored, 'flood-node', 'missing', 'a Node app prints 100 MB: produced - written - dropped', 0, 'lines', '≤'),
    limit(
      stored,
      'flood-node',
      'app_mb',
      'a Node app prints 100 MB: its own memory, against `| cat`',
      1.05,
      '×',
      '≤',
      'plain',
      '`| cat`',
    ),
    limit(
      stored,
      'flood-neighbour',
      'rise',
      'rise of the p99 of another service while a C program floods its log',
      20,
      '%',
      '≤',
    ),
  ],
};
