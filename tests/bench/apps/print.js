// node print.js MB RESULT: prints MB megabytes in numbered lines of 100 bytes as fast as it can, then appends
// "BEGIN END PEAK_KIB" to RESULT and stays. Times are nanoseconds of the monotonic clock.
'use strict';

const fs = require('fs');

const LINE = 100;
const [megabytes, result] = [
  Number(process.argv[2] || process.env.BENCH_MB),
  process.argv[3] || process.env.BENCH_RESULT,
];
const lines = (megabytes * 1e6) / LINE;
const begin = process.hrtime.bigint();
const peak = () => /VmHWM:\s*(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];

function finish() {
  fs.appendFileSync(result, `${begin} ${process.hrtime.bigint()} ${peak()}\n`);
  setInterval(() => {}, 1 << 30);
}

for (let i = 0; i < lines; i += 1) {
  const text = `${String(i).padStart(9, '0')}${'x'.repeat(LINE - 10)}\n`;
  if (i + 1 < lines) process.stdout.write(text);
  else process.stdout.write(text, finish);
}
