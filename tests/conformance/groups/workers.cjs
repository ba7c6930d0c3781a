'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');

module.exports = async (group) => {
  const world = await group.begin();
  const port = await world.startApp('web', 2);
  const { processes } = await world.view('web');
  Object.assign(group.values, { port, pid0: processes[0].pid, pid1: processes[1].pid, pid2: processes[2].pid });
  fs.writeFileSync(path.join(world.folder, 'patch.json'), JSON.stringify(
    [{ type: 'increment', metric: 'get.count', file: 'server.js', line: 1 }],
  ));

  const read = (name) => JSON.parse(fs.readFileSync(path.join(world.folder, name), 'utf8'));
  const isProfile = (name) => assert(read(name).nodes.length > 0 && read(name).samples.length > 0);
  const isSnapshot = (name) => assert(read(name).snapshot.node_count > 1000);
  const { pid1 } = group.values;
  // What the status table has in that column, of the first worker.
  const shows = (title, value) => ({ out }) => {
    const lines = out.split('\n');
    const at = lines.find((line) => line.includes(title)).indexOf(title);
    const row = lines.find((line) => line.includes(`1.1.${pid1} `));
    assert.strictEqual(row.slice(at, at + title.length).trim(), value, title);
  };

  await group.play('a CPU profile begins');
  await group.play('its worker is shown', shows('CPU profiling?', 'yes'));
  await group.play('it ends', () => isProfile(`node.1.1.${pid1}.cpuprofile`));
  await group.play("a CPU profile by the worker's id");
  await group.play('it ends in a file of another name', () => isProfile('other.cpuprofile'));
  await group.play('a CPU profile of a process that is not there');
  await group.play('a CPU profile of a service that is not there');
  await group.play('the end of a CPU profile of a process that is not there');
  await group.play('a CPU profile of the master');

  await group.play('a heap snapshot', () => isSnapshot(`node.1.1.${pid1}.heapsnapshot`));
  await group.play('a heap snapshot in a file of another name', () => isSnapshot('heap.heapsnapshot'));
  await group.play('a heap snapshot of a process that is not there');

  await group.play('objects are tracked');
  await group.play('that is shown', shows('Tracking objects?', 'yes'));
  await group.play('they are tracked no more');
  await group.play('objects of a process that is not there');
  await group.play('no longer objects of a process that is not there');

  await group.play('the debugger begins');
  await group.play('which is shown', shows('Debugging?', 'yes'));
  await group.play('the debugger ends');
  await group.play('the debugger of the master');
  await group.play('the debugger of a process that is not there');
  await group.play('the end of the debugger of a process that is not there');

  await group.play('a patch');
  await group.play('a patch of a process that is not there');
  await group.play('tracing begins');
  await group.play('tracing ends');
  await group.play('tracing of a service that is not there');
  await group.play('the end of tracing of a service that is not there');

  // After all that the workers are those of the beginning.
  await group.check('the workers live on', async () => {
    assert.deepStrictEqual((await world.view('web')).processes.map((process) => process.pid),
      processes.map((process) => process.pid));
  });
};
