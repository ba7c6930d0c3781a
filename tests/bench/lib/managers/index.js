// All managers by name, in the order of the tables.
'use strict';

const { Cluster, Plain } = require('./cluster');
const { Forever } = require('./forever');
const { Pm2 } = require('./pm2');
const { Runit } = require('./runit');
const { Slc } = require('./slc');
const { Strong } = require('./strong');
const { StrongPm } = require('./strong_pm');
const { Supervisord } = require('./supervisord');

const of =
  (Class, ...more) =>
  (world, name) =>
    new Class(world, name, ...more);

const MANAGERS = {
  'slc': { title: 'slc', make: of(Slc) },
  'slc-slots': { title: 'slc slots', make: of(Slc, 'slots') },
  'slc-shared': { title: 'slc shared', make: of(Slc, 'shared') },
  'pm2': { title: 'PM2', make: of(Pm2) },
  'forever': { title: 'forever', make: of(Forever) },
  'strong': { title: 'sl-run', make: of(Strong) },
  'strong-pm': { title: 'strong-pm', make: of(StrongPm) },
  'supervisord': { title: 'supervisord', make: of(Supervisord) },
  'runit': { title: 'runit', make: of(Runit) },
  'cluster-rr': { title: 'cluster rr', make: of(Cluster, 'rr') },
  'cluster-none': { title: 'cluster none', make: of(Cluster, 'none') },
  'plain': { title: 'no manager', make: of(Plain) },
};

module.exports = { MANAGERS };
