// runit of Debian, unpacked: runsvdir over a folder of our own, svlogd for the logs.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager, family } = require('./manager');
const { runBeside } = require('../command');
const { commandLine } = require('../procfs');

class Runit extends Manager {
  async open() {
    this.bin = path.join(await this.world.unpacked('runit'), 'usr/bin');
    this.env.PATH = `${this.bin}:${process.env.PATH}`;
    this.services = path.join(this.folder, 'services');
    fs.mkdirSync(this.services);
  }

  // A folder appears whole, or runsvdir may start half of it.
  add(name, command, env = {}, logged = false) {
    const draft = path.join(this.folder, `${name}.new`);
    const script = (folder, text) => {
      fs.mkdirSync(path.join(draft, folder), { recursive: true });
      fs.writeFileSync(path.join(draft, folder, 'run'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    };
    const exports = Object.entries(env)
      .map(([key, value]) => `export ${key}=${value}\n`)
      .join('');
    script('.', `${exports}exec ${command.join(' ')}`);
    if (logged) {
      const log = path.join(this.folder, `${name}.log`);
      fs.mkdirSync(log, { recursive: true });
      fs.writeFileSync(path.join(log, 'config'), 's0\nn0\n');
      script('log', `exec svlogd ${log}`);
    }
    fs.renameSync(draft, path.join(this.services, name));
  }

  ensure() {
    if (!this.daemon) this.daemon = runBeside(path.join(this.bin, 'runsvdir'), [this.services], { env: this.env });
  }

  startWeb({ name, script, workers, port, env }) {
    if (workers > 1) this.unable('has no cluster');
    this.add(name, [process.execPath, script], { ...env, PORT: port });
    this.ensure();
  }

  startPrograms({ name, count, args, logged = false }) {
    for (let i = 0; i < count; i += 1) this.add(`${name}-${i}`, [this.program, ...args], {}, logged);
    this.ensure();
  }

  managerPids() {
    if (!this.daemon) return [];
    return family([this.daemon.pid]).filter((pid) => /(runsvdir|runsv|svlogd)$/.test(commandLine(pid)[0]));
  }

  idle() {
    return this.ensure();
  }
  listCommand() {
    return [
      path.join(this.bin, 'sv'),
      'status',
      ...fs.readdirSync(this.services).map((name) => path.join(this.services, name)),
    ];
  }

  stopCommand(name) {
    return [path.join(this.bin, 'sv'), 'stop', path.join(this.services, name)];
  }

  startCommand({ name, script, port }) {
    this.add(name, [process.execPath, script], { PORT: port });
    return this.daemon ? ['/bin/true'] : [path.join(this.bin, 'runsvdir'), this.services];
  }
}

module.exports = { Runit };
