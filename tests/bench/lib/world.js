// World: everything a run needs and must not leave behind: a temporary folder, copies of the programs, the
// apps, the peers, and all that was started.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Slc } = require('./slc');
const { Pm2 } = require('./pm2');
const { run, freePort } = require('./command');

const BENCH = path.resolve(__dirname, '..');
const EXPRESS = path.resolve(BENCH, '../apps/express4');
const PM2 = 'pm2@7.0.4';
// Copied, so that a build meanwhile does not disturb, and no other slcd shares pages with ours.
const PROGRAMS = ['slc', 'slcd', 'slc-master', 'slc-load', 'agent.cjs'];

class World {
  constructor(options) {
    this.options = options;
    this.quick = options.quick;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slc-bench-'));
    this.cache = options.cache || path.join(this.folder, 'npm');
    this.bin = path.join(this.folder, 'bin');
    this.apps = path.join(BENCH, 'apps');
    this.closers = [];
    this.homes = 0;
  }

  async open() {
    fs.mkdirSync(this.bin);
    for (const name of PROGRAMS) {
      const from = path.join(this.options.bin, name);
      if (!fs.existsSync(from)) throw new Error(`${from} is missing: build the release preset first`);
      fs.copyFileSync(from, path.join(this.bin, name));
    }
    // Pages not yet on the disk would count as dirty.
    await run('sync', ['-f', this.bin]);
    this.timer = path.join(this.folder, 'spawn-timer');
    await run('c++', ['-std=c++20', '-O2', '-o', this.timer, path.join(BENCH, 'spawn_timer.cpp')]);
  }

  // What `closer` ends is ended at the latest with the run.
  onClose(closer) { this.closers.push(closer); }

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
    this.homes += 1;
    const folder = path.join(this.folder, `${name}${this.homes}`);
    fs.mkdirSync(folder);
    return folder;
  }

  freePort() { return freePort(); }

  // Runs `use` with a slc of its own and ends all of it.
  async withSlc(use) {
    const slc = new Slc(this.bin, this.emptyFolder('home'));
    this.onClose(() => slc.shutdown());
    const result = await use(slc);
    await slc.shutdown();
    return result;
  }

  // The same with PM2; without peers `use` gets null.
  async withPm2(use) {
    if (!this.options.peers) return use(null);
    const modules = await this.installed('peers', PM2);
    const pm2 = new Pm2(path.join(modules, 'pm2/bin/pm2'), this.emptyFolder('pm2-'));
    this.onClose(() => pm2.kill());
    const result = await use(pm2);
    await pm2.kill();
    return result;
  }

  async installed(name, what) {
    const prefix = path.join(this.cache, name);
    const modules = path.join(prefix, 'node_modules');
    if (!fs.existsSync(modules)) {
      console.error(`# npm install ${what}`);
      await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', prefix, what], { timeout: 600000 });
    }
    return modules;
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
      await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder, timeout: 600000 });
    }
    return folder;
  }

  // Output of spawn-timer, one object a line.
  async time(args, env = process.env) {
    const out = await run(this.timer, args.map(String), { env, timeout: 600000 });
    return out.trim().split('\n').map((line) => JSON.parse(line));
  }

  // One lane of slc-load; its report. A failed request is an error of the benchmark.
  async load(seconds, keys) {
    const lane = Object.entries(keys).map(([key, value]) => `${key}=${value}`).join(',');
    const out = await run(path.join(this.bin, 'slc-load'), ['--duration', String(seconds), '--json', '--lane', lane]);
    return JSON.parse(out).lanes[0];
  }
}

module.exports = { World };
