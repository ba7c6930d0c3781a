// Prints numbered lines "out N xxx" and, every tenth time, "err N xxx".
//
//   APP_LINES_PER_S (1000)   APP_LINE_BYTES (100)   APP_LINES (0: without end)
'use strict';

const http = require('http');

const TICK_MS = 10;
const perTick = Math.max(1, Math.round((Number(process.env.APP_LINES_PER_S || 1000) * TICK_MS) / 1000));
const width = Number(process.env.APP_LINE_BYTES || 100);
const limit = Number(process.env.APP_LINES || 0) || Infinity;

let written = 0;

function line(stream) {
  return `${stream} ${written} `.padEnd(width - 1, 'x') + '\n';
}

const timer = setInterval(() => {
  for (let i = 0; i < perTick && written < limit; i += 1) {
    written += 1;
    process.stdout.write(line('out'));
    if (written % 10 === 0) process.stderr.write(line('err'));
  }
  if (written >= limit) clearInterval(timer);
}, TICK_MS);

http
  .createServer((request, response) => response.end(`${process.pid} ${written}\n`))
  .listen(process.env.PORT || 3000);
