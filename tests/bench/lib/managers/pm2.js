// PM2: web apps in cluster mode, as `-i` does; programs in fork mode.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager } = require('./manager');
const { alive } = require('../procfs');

const PACKAGE = 'pm2@7.0.4';

class Pm2 extends Manager {
  constructor(world, kind) {
    super(world, kind);
    this.home = path.join(this.folder, 'home');
    Object.assign(this.env, { PM2_HOME: this.home, PM2_DISABLE_VERSION_CHECK: 'true' });
  }

  async open() {
    this.pm2 = [process.execPath, path.join(await this.world.installed(PACKAGE), 'pm2/bin/pm2')];
  }

  startWeb({ name, script, workers, port, env }) {
    return this.run([...this.pm2, 'start', script, '--name', name, '-i', workers], {
      env: { ...this.env, ...env, PORT: String(port) },
    });
  }

  startPrograms({ name, count, args, more = {} }) {
    const apps = Array.from({ length: count }, (_, i) => ({
      name: `${name}-${i}`,
      script: this.program,
      interpreter: 'none',
      args,
      ...more,
    }));
    const file = path.join(this.folder, `${name}.config.json`);
    fs.writeFileSync(file, JSON.stringify({ apps }));
    return this.run([...this.pm2, 'start', file]);
  }

  managerPids() {
    try {
      return [Number(fs.readFileSync(path.join(this.home, 'pm2.pid'), 'utf8'))].filter(alive);
    } catch {
      return [];
    }
  }

  idle() {
    return this.run([...this.pm2, 'ping']);
  }
  reload(name) {
    return this.run([...this.pm2, 'reload', name]);
  }
  listCommand() {
    return [...this.pm2, 'list'];
  }
  stopCommand(name) {
    return [...this.pm2, 'stop', name];
  }
  startCommand({ name, script }) {
    return [...this.pm2, 'start', script, '--name', name];
  }
  save() {
    return this.run([...this.pm2, 'save']);
  }
  revive() {
    return this.run([...this.pm2, 'resurrect']);
  }
}

module.exports = { Pm2 };
