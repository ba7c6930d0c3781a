// forever: a monitor for each process. It gives up on what crashes at once unless told otherwise; we do.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager } = require('./manager');
const { processesWith } = require('../procfs');

const PACKAGE = 'forever@4.0.3';

class Forever extends Manager {
  constructor(world, kind) {
    super(world, kind);
    this.env.FOREVER_ROOT = path.join(this.folder, 'root');
  }

  async open() {
    this.forever = [process.execPath, path.join(await this.world.installed(PACKAGE), 'forever/bin/forever')];
  }

  start(name, args, env = this.env) {
    return this.run(this.startArgs(name, args), { env });
  }

  startArgs(name, args) {
    const log = (kind) => path.join(this.folder, `${name}.${kind}`);
    return [
      ...this.forever,
      'start',
      '-a',
      '-l',
      log('log'),
      '-o',
      log('out'),
      '-e',
      log('err'),
      '--uid',
      name,
      '--minUptime',
      1,
      '--spinSleepTime',
      1,
      ...args,
    ];
  }

  async startWeb({ name, script, workers, port, env }) {
    if (workers > 1) this.unable('has no cluster');
    await this.start(name, [script], { ...this.env, ...env, PORT: String(port) });
  }

  // It wants a script: one that becomes the program.
  async startPrograms({ name, count, args }) {
    const script = path.join(this.apps, `${name}.sh`);
    fs.writeFileSync(script, `exec ${this.program} ${args.join(' ')}\n`);
    for (let i = 0; i < count; i += 1) await this.start(`${name}-${i}`, ['-c', '/bin/sh', script]);
  }

  managerPids() {
    return processesWith('forever/bin/monitor').filter((pid) => this.owns(pid));
  }

  owns(pid) {
    try {
      return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.folder);
    } catch {
      return false;
    }
  }

  listCommand() {
    return [...this.forever, 'list'];
  }
  stopCommand(name) {
    return [...this.forever, 'stop', name];
  }
  startCommand({ name, script }) {
    return this.startArgs(name, [script]);
  }
  revive() {
    return this.run(this.listCommand());
  }
}

module.exports = { Forever };
