// What the figures were taken on and with, read from the system.
'use strict';

const { execFileSync } = require('child_process');
const os = require('os');
const path = require('path');

function describeMachine(world) {
  const version = execFileSync(path.join(world.bin, 'slc'), ['--version'], { encoding: 'utf8' }).trim();
  return {
    cpu: os.cpus()[0].model.trim(),
    cores: os.cpus().length,
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    slc: version,
    date: new Date().toISOString().slice(0, 10),
    quick: world.quick,
    loadBefore: os.loadavg(),
  };
}

function machineLine(machine) {
  const load = machine.loadBefore[0].toFixed(1);
  return (
    `${machine.slc}, Node ${machine.node}, ${machine.cores} cores of ${machine.cpu}, ${machine.kernel}, ` +
    `${machine.date}, load of others before the run ${load}${machine.quick ? ', --quick' : ''}`
  );
}

module.exports = { describeMachine, machineLine };
