// What a row asks of whoever runs its apps. One object is one installation with a folder of its own; `close` ends all
// of it. A manager that cannot do something throws Unable, whose text is shown instead of the figure.
'use strict';

const fs = require('fs');
const path = require('path');
const { answers, run, until } = require('../command');
const { alive, childrenOf, processesWith } = require('../procfs');

class Unable extends Error {}

class Manager {
  constructor(world, kind) {
    this.world = world;
    this.kind = kind;
    this.folder = world.emptyFolder(kind);
    // Copies, so that its workers are told from those of others by their command line.
    this.apps = path.join(this.folder, 'apps');
    fs.cpSync(world.apps, this.apps, { recursive: true });
    this.program = path.join(this.apps, 'program');
    this.env = { ...process.env, SLC_BENCH: this.folder };
    this.count = 0;
    world.onClose(() => this.close());
  }

  // What is started for good before anything else: a daemon, or nothing.
  async open() {}

  // Starts an app and waits until all its workers serve: {name, port, master, workers}, pids.
  async web({ workers = 1, script = 'web.js', env = {} } = {}) {
    const port = await this.world.freePort();
    const name = this.newName('web');
    const before = this.workerPids();
    await this.startWeb({ name, script: path.join(this.apps, script), workers, port, env });
    await until(`${this.kind} serves`, () => answers(port));
    const fresh = () => this.workerPids().filter((pid) => !before.includes(pid));
    await until(`${this.kind} has ${workers} workers`, () => fresh().length === workers);
    return { name, port, workers: fresh() };
  }

  // Starts `count` programs that only wait; milliseconds from the first command until the last one ran.
  async programs(count) {
    const marks = path.join(this.folder, this.newName('marks'));
    const begin = process.hrtime.bigint();
    await this.startPrograms({ name: this.newName('p'), count, args: ['pause', marks] });
    const times = await until(
      `${count} programs of ${this.kind} run`,
      () => {
        const lines = this.marks(marks);
        return lines.length >= count && lines;
      },
      120000,
    );
    const last = times.reduce((a, b) => (a > b ? a : b));
    return { ms: Number(last - begin) / 1e6 };
  }

  // What programs and apps have left in a file: times of the monotonic clock in nanoseconds, one a line.
  marks(file) {
    if (!fs.existsSync(file)) return [];
    return fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => BigInt(line.split(' ')[0]));
  }

  newName(stem) {
    this.count += 1;
    return `${stem}${this.count}`;
  }

  run(argv, more = {}) {
    return run(argv[0], argv.slice(1).map(String), { env: this.env, cwd: this.folder, ...more });
  }

  workerPids() {
    const own = this.managerPids();
    return processesWith(this.apps).filter((pid) => !own.includes(pid));
  }

  managerPids() {
    return [];
  }
  unable(why) {
    throw new Unable(why);
  }

  api() {
    this.unable('has no HTTP API');
  }
  startWeb() {
    this.unable('runs no web apps');
  }
  startPrograms() {
    this.unable('runs Node only');
  }
  idle() {
    this.unable('has no daemon');
  }
  reload() {
    this.unable('has no reload');
  }
  listCommand() {
    this.unable('has no list');
  }
  startCommand() {
    this.unable('has no such command');
  }
  stopCommand() {
    this.unable('has no such command');
  }

  // Kills what is left, whoever started it.
  async close() {
    const left = () => [...new Set([...processesWith(this.folder, ['cmdline', 'environ']), ...this.managerPids()])];
    for (const pid of left()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ended meanwhile
      }
    }
    await until(`nothing of ${this.kind} is left`, () => left().length === 0, 10000);
    try {
      // Floods leave gigabytes behind, of several managers in several rounds.
      fs.rmSync(this.folder, { recursive: true, force: true });
    } catch {
      // Something is mounted there; it goes with the world.
    }
  }
}

// pids, their children, and theirs.
function family(pids) {
  const all = [];
  const rest = [...pids];
  while (rest.length) {
    const pid = rest.shift();
    if (!alive(pid)) continue;
    all.push(pid);
    rest.push(...childrenOf(pid));
  }
  return all;
}

module.exports = { Manager, Unable, family };
