// All rows, in the order in which they are measured: what is told first, and what takes longest, last.
'use strict';

const ROWS = [
  'limits',
  'ours',
  'gateway',
  'programs',
  'web',
  'start',
  'load',
  'flood',
  'crash',
  'killed',
  'state',
  'reload',
];

const rows = ROWS.map((name) => ({ name, ...require(`./${name}`) }));

module.exports = { ROWS, rows };
