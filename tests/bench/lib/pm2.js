// A PM2 with a home of its own.
'use strict';

const fs = require('fs');
const path = require('path');
const { run } = require('./command');

class Pm2 {
  constructor(script, home) {
    this.home = home;
    this.command = [process.execPath, script];
    this.env = { ...process.env, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' };
    this.running = false;
  }

  run(...args) {
    this.running = true;
    return run(this.command[0], [this.command[1], ...args.map(String)], { env: this.env });
  }

  // In cluster mode, as `-i` does.
  start(name, script, size, port) {
    this.env.PORT = String(port);
    return this.run('start', script, '--name', name, '-i', size);
  }

  daemon() { return Number(fs.readFileSync(path.join(this.home, 'pm2.pid'), 'utf8')); }

  async kill() {
    if (this.running) await this.run('kill');
    this.running = false;
  }
}

module.exports = { Pm2 };
