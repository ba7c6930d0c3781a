// StrongLoop's process manager, sl-pm, for its REST API alone: what it would run apps with (strong.js) it does not
// start on today's Node. Its database is the one of JSON, in memory: that of SQLite is a native add-on, and not quicker.
'use strict';

const path = require('path');
const { Manager } = require('./manager');
const { answers, runBeside, until } = require('../command');
const { alive } = require('../procfs');
const { ask } = require('../ask');

const PACKAGE = 'strong-pm@6.0.1';

class StrongPm extends Manager {
  async open() {
    const modules = await this.world.installed(PACKAGE, '--ignore-scripts');
    this.program_ = path.join(modules, 'strong-pm/bin/sl-pm.js');
  }

  // Its API with one service: {port}.
  async api() {
    const port = await this.world.freePort();
    const args = ['--json-file-db', '--base', path.join(this.folder, 'base'), '--listen', port];
    this.server = runBeside(process.execPath, [this.program_, ...args.map(String)], {
      env: this.env,
      cwd: this.folder,
    });
    await until('sl-pm answers', () => answers(port, '/api/Services'));
    const made = await ask({ port }, 'POST', '/api/Services', { name: 'web' });
    if (made.status !== 200) throw new Error(`sl-pm makes no service: ${made.text}`);
    return { port };
  }

  apiPids() {
    return this.server && alive(this.server.pid) ? [this.server.pid] : [];
  }
}

module.exports = { StrongPm };
