// supervisord of Debian, unpacked.
'use strict';

const fs = require('fs');
const path = require('path');
const { Manager } = require('./manager');
const { alive } = require('../procfs');
const { until } = require('../command');

class Supervisord extends Manager {
  constructor(world, kind) {
    super(world, kind);
    this.config = path.join(this.folder, 'supervisord.conf');
    this.programsOf = [];
  }

  async open() {
    const root = await this.world.unpacked('supervisor');
    this.env.PYTHONPATH = path.join(root, 'usr/lib/python3/dist-packages');
    const python = '/usr/bin/python3';
    this.daemon = [python, path.join(root, 'usr/bin/supervisord'), '-c', this.config];
    this.control = [python, path.join(root, 'usr/bin/supervisorctl'), '-c', this.config];
    this.write();
  }

  write() {
    const at = (name) => path.join(this.folder, name);
    fs.writeFileSync(
      this.config,
      `[supervisord]
logfile=${at('supervisord.log')}
pidfile=${at('supervisord.pid')}
childlogdir=${this.folder}
[unix_http_server]
file=${at('supervisord.sock')}
[supervisorctl]
serverurl=unix://${at('supervisord.sock')}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
${this.programsOf.join('\n')}`,
    );
  }

  add({ name, command, count = 1, env = {} }) {
    const environment = Object.entries(env)
      .map(([key, value]) => `${key}="${value}"`)
      .join(',');
    this.programsOf.push(`[program:${name}]
command=${command.join(' ')}
numprocs=${count}
process_name=%(program_name)s-%(process_num)d
environment=${environment}
stdout_logfile=${path.join(this.folder, `${name}.out`)}
stdout_logfile_maxbytes=0
stderr_logfile=${path.join(this.folder, `${name}.err`)}
autorestart=true
`);
    this.write();
  }

  async apply() {
    if (this.running()) await this.run([...this.control, 'update']);
    else await this.startDaemon();
  }

  // It returns before it has written its pid.
  async startDaemon() {
    await this.run(this.daemon);
    await until('supervisord is there', () => this.running());
  }

  async startWeb({ name, script, workers, port, env }) {
    if (workers > 1) this.unable('has no cluster');
    this.add({ name, command: [process.execPath, script], env: { ...env, PORT: port } });
    await this.apply();
  }

  async startPrograms({ name, count, args }) {
    this.add({ name, command: [this.program, ...args], count });
    await this.apply();
  }

  managerPids() {
    return this.running() ? [this.pid()] : [];
  }
  running() {
    return alive(this.pid());
  }

  pid() {
    try {
      return Number(fs.readFileSync(path.join(this.folder, 'supervisord.pid'), 'utf8'));
    } catch {
      return 0;
    }
  }

  idle() {
    return this.apply();
  }
  listCommand() {
    return [...this.control, 'status'];
  }
  stopCommand(name) {
    return [...this.control, 'stop', `${name}:*`];
  }

  startCommand({ name, script, port }) {
    this.add({ name, command: [process.execPath, script], env: { PORT: port } });
    return this.running() ? [...this.control, 'update'] : this.daemon;
  }

  async revive() {
    await until('supervisord is gone', () => !this.running());
    await this.startDaemon();
  }
}

module.exports = { Supervisord };
