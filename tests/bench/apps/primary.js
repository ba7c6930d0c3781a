// Node's own cluster, as one writes it by hand: node primary.js SCRIPT WORKERS. A worker that ends is replaced;
// SIGUSR2 replaces all, one after another. NODE_CLUSTER_SCHED_POLICY (rr or none) says who accepts.
'use strict';

const cluster = require('cluster');

cluster.setupPrimary({ exec: process.argv[2], args: [] });

function replaced(old) {
  return new Promise((resolve) => {
    cluster.fork().once('listening', () => {
      old.leaving = true;
      old.once('exit', resolve);
      old.disconnect();
      if (process.env.BENCH_DRAIN) old.process.kill('SIGTERM');
    });
  });
}

let turn = Promise.resolve();
process.on('SIGUSR2', () => {
  turn = turn.then(async () => {
    for (const old of Object.values(cluster.workers)) await replaced(old);
  });
});

cluster.on('exit', (worker) => {
  if (!worker.leaving) cluster.fork();
});
for (let i = 0; i < Number(process.argv[3]); i += 1) cluster.fork();
