// node crash.js FILE: appends the time (nanoseconds of the monotonic clock) to FILE and crashes.
'use strict';

const file = process.argv[2] || process.env.BENCH_RESULT;
require('fs').appendFileSync(file, `${process.hrtime.bigint()}\n`);
throw new Error('crash');
