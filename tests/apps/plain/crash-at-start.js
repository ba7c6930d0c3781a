// Prints a line on each stream and throws, after APP_LIVE_MS (0).
'use strict';

console.log('crash-at-start: about to connect');
console.error('crash-at-start: no database');

setTimeout(() => {
  throw new Error('cannot start without a database');
}, Number(process.env.APP_LIVE_MS || 0));
