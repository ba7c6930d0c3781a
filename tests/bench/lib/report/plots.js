// Which figures are drawn: a picture each, with a small chart for each metric [case, key, title].
'use strict';

const PLOTS = [
  {
    name: 'memory',
    title: 'Memory of the managers, private',
    metrics: [
      ['web-2', 'uss', 'web app, 2 workers'],
      ['programs-50', 'uss', '50 programs'],
      ['programs-200', 'uss', '200 programs'],
    ],
  },
  {
    name: 'requests',
    title: 'Requests a second, a connection each',
    metrics: [1, 2, 4].map((workers) => [
      `load-close-${workers}`,
      'rate',
      `${workers} worker${workers > 1 ? 's' : ''}`,
    ]),
  },
  {
    name: 'cost',
    title: 'CPU of the managers, a connection each',
    metrics: [1, 2, 4].map((workers) => [
      `load-close-${workers}`,
      'manager_us',
      `${workers} worker${workers > 1 ? 's' : ''}`,
    ]),
  },
  {
    name: 'reload',
    title: 'Reload of 4 workers under load, ordinary app: failed requests',
    metrics: [
      ['reload-keepalive-naive', 'failed', 'keep-alive'],
      ['reload-close-naive', 'failed', 'a connection per request'],
      ['reload-slow-naive', 'failed', 'answers of 2 s'],
    ],
  },
  {
    name: 'commands',
    title: 'Commands',
    metrics: [
      ['programs-50', 'list_ms', 'list of 50'],
      ['start-warm', 'start_ms', 'start, daemon running: first answer'],
      ['start-cold', 'start_ms', 'start, no daemon yet: first answer'],
      ['programs-200', 'start_ms', 'start of 200 programs'],
    ],
  },
  {
    name: 'flood',
    title: 'A program prints 100 MB as fast as it can',
    metrics: [
      ['flood-program', 'mb_per_s', 'C: written'],
      ['flood-program', 'cpu_s', 'C: CPU of the managers'],
      ['flood-node', 'app_mb', 'Node: memory of the app'],
    ],
  },
];

module.exports = { PLOTS };
