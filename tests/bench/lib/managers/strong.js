// StrongLoop's supervisor, sl-run. Without profiling: its native add-on is not built for today's Node.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager } = require('./manager');
const { runBeside } = require('../command');
const { childrenOf, alive } = require('../procfs');

const PACKAGE = 'strong-supervisor@6.2.0';

class Strong extends Manager {
  async open() {
    const modules = await this.world.installed(PACKAGE, '--ignore-scripts');
    this.program_ = (name) => [process.execPath, path.join(modules, `strong-supervisor/bin/${name}.js`)];
  }

  startArgs({ name, script, workers }) {
    return [
      ...this.program_('sl-run'),
      '--cluster',
      String(workers),
      '--no-profile',
      '-C',
      this.control(name),
      '-l',
      path.join(this.folder, `${name}.log`),
      script,
    ];
  }

  control(name) {
    return path.join(this.folder, `${name}.ctl`);
  }

  startWeb({ name, script, workers, port, env }) {
    const [file, ...args] = this.startArgs({ name, script, workers });
    this.supervisor = runBeside(file, args, { env: { ...this.env, ...env, PORT: String(port) }, cwd: this.folder });
    this.pid = this.supervisor.pid;
  }

  managerPids() {
    return this.pid && alive(this.pid) ? [this.pid] : [];
  }
  workerPids() {
    return this.managerPids().flatMap(childrenOf);
  }
  controlCommand(name, ...args) {
    return [...this.program_('sl-runctl'), '-C', this.control(name), ...args];
  }
  reload(name) {
    return this.run(this.controlCommand(name, 'restart'));
  }
  stopCommand(name) {
    return this.controlCommand(name, 'stop');
  }
  startCommand({ name, script }) {
    return this.startArgs({ name, script, workers: 1 });
  }
  listCommand(name) {
    return fs.existsSync(this.control(name)) ? this.controlCommand(name, 'status') : super.listCommand();
  }
}

module.exports = { Strong };
