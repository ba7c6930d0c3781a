// World: everything a run needs and must not leave behind: a temporary folder, the apps, the peers, and all that was
// started. What was installed stays in `cache` for the next run.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { MANAGERS } = require('./managers');
const { run, runOutput, freePort } = require('./command');

const BENCH = path.resolve(__dirname, '..');
const EXPRESS = path.resolve(BENCH, '../apps/express4');
const PROGRAMS = ['slc', 'slcd', 'slc-master', 'slc-gateway', 'slc-unpack', 'slc-load', 'agent.cjs'];

class World {
  constructor(options) {
    this.options = options;
    this.quick = options.quick;
    this.cache = options.cache;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slc-bench-'));
    this.bin = path.join(this.folder, 'bin');
    this.apps = path.join(this.folder, 'apps');
    this.closers = [];
    this.folders = 0;
  }

  async open() {
    // Started by root, slcd has its gateway run as another user, who must come to the program.
    fs.chmodSync(this.folder, 0o711);
    fs.mkdirSync(this.bin);
    for (const name of PROGRAMS) {
      const file = path.join(this.options.bin, name);
      if (!fs.existsSync(file)) throw new Error(`${file} is missing: build the release preset first`);
      fs.copyFileSync(file, path.join(this.bin, name));
    }
    fs.mkdirSync(this.cache, { recursive: true });
    fs.cpSync(path.join(BENCH, 'apps'), this.apps, { recursive: true });
    await run('cc', ['-O2', '-o', path.join(this.apps, 'program'), path.join(this.apps, 'program.c')]);
    this.timer = path.join(this.folder, 'spawn-timer');
    await run('c++', ['-std=c++20', '-O2', '-o', this.timer, path.join(BENCH, 'spawn_timer.cpp')]);
  }

  // What `closer` ends is ended at the latest with the run.
  onClose(closer) {
    this.closers.push(closer);
  }

  async close() {
    for (const closer of this.closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (error) {
        console.error(`bench: while cleaning up: ${error.message}`);
      }
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  emptyFolder(name) {
    this.folders += 1;
    const folder = path.join(this.folder, `${name}-${this.folders}`);
    fs.mkdirSync(folder);
    return folder;
  }

  freePort() {
    return freePort();
  }

  // A new installation of the manager of that name.
  async manager(name) {
    const manager = MANAGERS[name].make(this, name);
    await manager.open();
    return manager;
  }

  // The node_modules with an npm package in them.
  async installed(what, ...more) {
    const prefix = path.join(this.cache, what);
    const modules = path.join(prefix, 'node_modules');
    if (!fs.existsSync(modules)) {
      console.error(`# npm install ${what}`);
      fs.rmSync(`${prefix}.new`, { recursive: true, force: true });
      await run('npm', ['install', '--no-audit', '--no-fund', ...more, '--prefix', `${prefix}.new`, what]);
      fs.renameSync(`${prefix}.new`, prefix);
    }
    return modules;
  }

  // The root of a Debian package, unpacked: nothing of it is enabled, none of its scripts run.
  async unpacked(name) {
    const root = path.join(this.cache, `debian-${name}`);
    if (!fs.existsSync(root)) {
      console.error(`# apt-get download ${name}`);
      const folder = this.emptyFolder(`debian-${name}`);
      await run('apt-get', ['-q', 'download', name], { cwd: folder });
      const file = fs.readdirSync(folder).find((entry) => entry.endsWith('.deb'));
      await run('dpkg', ['-x', path.join(folder, file), path.join(folder, 'root')]);
      fs.cpSync(path.join(folder, 'root'), root, { recursive: true, verbatimSymlinks: true });
    }
    return root;
  }

  // A folder with the Express app of the tests and its modules.
  async expressApp() {
    const folder = path.join(this.cache, 'express');
    if (!fs.existsSync(path.join(folder, 'node_modules'))) {
      console.error('# npm ci of the Express app');
      fs.mkdirSync(folder, { recursive: true });
      for (const file of ['package.json', 'package-lock.json', 'server.js', 'version.txt']) {
        fs.copyFileSync(path.join(EXPRESS, file), path.join(folder, file));
      }
      await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
    }
    return folder;
  }

  // Output of spawn-timer, one object a line.
  async time(args, env = process.env) {
    const out = await run(this.timer, args.map(String), { env });
    return out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  // One lane of slc-load, on the cores `cpus` if they are given ("1-3"); its report. A failed request is an error of
  // the benchmark.
  async load(seconds, keys, cpus = null) {
    const load = [path.join(this.bin, 'slc-load'), '--duration', String(seconds), '--json', '--lane', laneOf(keys)];
    const [file, ...args] = cpus ? ['taskset', '-c', cpus, ...load] : load;
    const out = await run(file, args);
    return JSON.parse(out).lanes[0];
  }

  // The same until stop(), which returns the report; failed requests are part of it.
  beginLoad(keys, timeoutMs) {
    const load = runOutput(path.join(this.bin, 'slc-load'), [
      '--until-signal',
      '--json',
      '--timeout',
      String(timeoutMs),
      '--lane',
      laneOf(keys),
    ]);
    this.onClose(() => load.stop());
    return { stop: async () => JSON.parse(await load.stop()).lanes[0] };
  }
}

const laneOf = (keys) =>
  Object.entries(keys)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

module.exports = { World };
