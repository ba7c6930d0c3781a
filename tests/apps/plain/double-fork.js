// Leaves two grandchildren that are in sessions of their own and no longer its descendants; one ignores
// SIGTERM. They end by themselves after APP_ORPHAN_S (300). Answers {"pid", "orphans": [PID, PID]}.
'use strict';

const childProcess = require('child_process');
const http = require('http');

const seconds = Number(process.env.APP_ORPHAN_S || 300);

// The shell starts the grandchild, prints its pid and ends.
function orphan(command) {
  const script = `setsid sh -c '${command}' >/dev/null 2>&1 </dev/null & echo $!`;
  const child = childProcess.spawnSync('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  return Number(child.stdout);
}

const orphans = [
  orphan(`exec sleep ${seconds}`),
  orphan(`trap "" TERM; exec sleep ${seconds}`),
];

http
  .createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ pid: process.pid, orphans }));
  })
  .listen(process.env.PORT || 3000);
