// A slc with a home of its own.
'use strict';

const path = require('path');
const { alive, childrenOf } = require('./procfs');
const { run, until } = require('./command');

class Slc {
  constructor(bin, home) {
    this.program = path.join(bin, 'slc');
    this.env = { ...process.env, SLC_HOME: home };
    this.running = false;
  }

  run(...args) { return run(this.program, args.map(String), { env: this.env }); }

  // Starts an app and waits until all its workers serve.
  async start(name, target, size, port, ...more) {
    this.running = true;
    await this.run('start', '--name', name, '--size', size, '--port', port, ...more, target);
    return this.service(name);
  }

  async service(name) {
    const status = JSON.parse(await this.run('ctl', '--json', 'status', name));
    const service = Array.isArray(status) ? status[0] : status;
    const pids = service.processes.sort((a, b) => a.worker - b.worker).map((process) => process.pid);
    return { master: pids[0], workers: pids.slice(1) };
  }

  async daemon() { return JSON.parse(await this.run('ctl', '--json', 'info')).info.pid; }

  async shutdown() {
    if (!this.running) return;
    this.running = false;
    const daemon = await this.daemon();
    const all = [daemon, ...childrenOf(daemon)];
    await this.run('ctl', 'shutdown');
    await until('slcd and its masters are gone', () => !all.some(alive));
  }
}

module.exports = { Slc };
