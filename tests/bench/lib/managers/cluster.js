// Node's cluster by hand (apps/primary.js), and no manager at all.
'use strict';

const path = require('path');
const { Manager } = require('./manager');
const { runBeside } = require('../command');
const { alive, childrenOf } = require('../procfs');

class Cluster extends Manager {
  constructor(world, kind, policy) {
    super(world, kind);
    this.env.NODE_CLUSTER_SCHED_POLICY = policy;
  }

  startArgs(script, workers) {
    return [process.execPath, path.join(this.world.apps, 'primary.js'), script, String(workers)];
  }

  startWeb({ script, workers, port, env }) {
    const [file, ...args] = this.startArgs(script, workers);
    this.primary = runBeside(file, args, { env: { ...this.env, ...env, PORT: String(port) } });
  }

  managerPids() {
    return this.primary && alive(this.primary.pid) ? [this.primary.pid] : [];
  }
  workerPids() {
    return this.managerPids().flatMap(childrenOf);
  }
  reload() {
    process.kill(this.primary.pid, 'SIGUSR2');
  }
  startCommand({ script }) {
    return this.startArgs(script, 1);
  }
}

class Plain extends Manager {
  startWeb({ script, workers, port, env }) {
    if (workers > 1) this.unable('is one process');
    this.app = runBeside(process.execPath, [script], { env: { ...this.env, ...env, PORT: String(port) } });
  }

  startPrograms() {
    this.unable('is no manager');
  }
  startCommand({ script }) {
    return [process.execPath, script];
  }
}

module.exports = { Cluster, Plain };
