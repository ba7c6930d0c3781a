// slc; `balance` says how connections reach the workers.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager } = require('./manager');
const { alive, processesOf } = require('../procfs');
const { run, until } = require('../command');

const PROGRAMS = ['slc', 'slcd', 'slc-master', 'slc-gateway', 'slc-unpack', 'agent.cjs'];

class Slc extends Manager {
  constructor(world, kind, balance = 'rr') {
    super(world, kind);
    this.balance = balance;
    this.home = path.join(this.folder, 'home');
    this.env.SLC_HOME = this.home;
    this.bin = path.join(this.folder, 'bin');
    this.slc = path.join(this.bin, 'slc');
  }

  // Copies, so that a build meanwhile does not disturb, and no other slcd shares pages with this one.
  async open() {
    fs.mkdirSync(this.bin);
    for (const name of PROGRAMS) fs.copyFileSync(path.join(this.world.bin, name), path.join(this.bin, name));
    // Pages not yet on the disk would count as dirty.
    await run('sync', ['-f', this.bin]);
  }

  ctl(...args) {
    return this.run([this.slc, 'ctl', ...args]);
  }
  async json(...args) {
    return JSON.parse(await this.ctl('--json', ...args));
  }

  startWeb({ name, script, workers, port, env }) {
    return this.run(this.webCommand({ name, script, workers, port, env }));
  }

  webCommand({ name, script, workers, port, env = {}, more = [] }) {
    const given = Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    return [
      this.slc,
      'start',
      '--name',
      name,
      '--size',
      workers,
      '--port',
      port,
      '--balance',
      this.balance,
      ...given,
      ...more,
      script,
    ];
  }

  programCommand(name, size, args, ...more) {
    return [this.slc, 'start', '--no-wait', '--name', name, '--size', size, ...more, this.program, '--', ...args];
  }

  // One command after another, by a shell: to start each from here would take longer than the command itself.
  async startPrograms({ name, count, args }) {
    const commands = Array.from({ length: count }, (_, i) => this.programCommand(`${name}-${i}`, 1, args).join(' '));
    const script = path.join(this.folder, `${name}.sh`);
    fs.writeFileSync(script, `set -e\n${commands.join('\n')}\n`);
    await this.run(['/bin/sh', script]);
  }

  // One service of `count` workers: milliseconds until the last one ran.
  async crowd(count) {
    const marks = path.join(this.folder, this.newName('marks'));
    const begin = process.hrtime.bigint();
    await this.run(this.programCommand(this.newName('crowd'), count, ['pause', marks]));
    const times = await until(`${count} workers run`, () => this.marks(marks).length >= count && this.marks(marks));
    return Number(times.reduce((a, b) => (a > b ? a : b)) - begin) / 1e6;
  }

  // The gateway, before a web app of two workers: {port, socketPath}.
  async api() {
    const port = await this.world.freePort();
    const socketPath = path.join(this.folder, 'api.sock');
    await this.web({ workers: 2 });
    const listen = [`127.0.0.1:${port}`, `unix:${socketPath}`].flatMap((one) => ['--listen', one]);
    await this.run([this.slc, 'gateway', 'start', ...listen]);
    return { port, socketPath };
  }
  // The gateway, slcd.
  apiPids() {
    return [...processesOf(path.join(this.bin, 'slc-gateway')), ...this.daemonPids()];
  }

  daemonPids() {
    return processesOf(path.join(this.bin, 'slcd'));
  }
  masterPids() {
    return processesOf(path.join(this.bin, 'slc-master'));
  }
  managerPids() {
    return [...this.daemonPids(), ...this.masterPids()];
  }

  async service(name) {
    return (await this.json('status', name))[0];
  }

  // A slcd with nothing to do.
  async idle() {
    await this.run(this.programCommand('once', 1, ['pause', '/dev/null']));
    await this.ctl('remove', 'once');
  }

  reload(name) {
    return this.ctl('soft-restart', name);
  }
  listCommand() {
    return [this.slc, 'ctl', 'ls'];
  }
  stopCommand(name) {
    return [this.slc, 'ctl', 'stop', name];
  }
  startCommand({ name, script, port }) {
    return this.webCommand({ name, script, workers: 1, port });
  }

  async close() {
    const all = this.managerPids();
    try {
      if (all.length) await this.ctl('shutdown');
      await until('slcd and its masters are gone', () => !all.some(alive));
    } finally {
      await super.close();
    }
  }
}

module.exports = { Slc };
