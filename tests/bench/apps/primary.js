// Node's own cluster with round robin: node primary.js SCRIPT WORKERS
'use strict';

const cluster = require('cluster');

cluster.schedulingPolicy = cluster.SCHED_RR;
cluster.setupPrimary({ exec: process.argv[2] });
for (let i = 0; i < Number(process.argv[3]); i += 1) cluster.fork();
