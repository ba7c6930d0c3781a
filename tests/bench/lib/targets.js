// Targets, judged by what is stored. Each gives {what, target, measured, met}, or null where nothing was measured.
'use strict';

const { median, ratio, round } = require('./numbers');

const HOLDS = {
  '≤': (value, bound) => value <= bound,
  '<': (value, bound) => value < bound,
  '≥': (value, bound) => value >= bound,
};

function values(stored, id, manager, key) {
  const figure = stored[id] && stored[id].figures[manager];
  if (!figure) return [];
  return figure.rounds.map((entry) => entry[key]).filter(Number.isFinite);
}

const shown = (value) => {
  const size = Math.abs(value);
  return round(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
};

// `key` of slc in case `id`, as it is or (with `peer`) as a multiple of the peer's, is to hold to `bound`.
function limit(stored, id, key, what, bound, unit, sign, peer = null, peerText = '', ours = 'slc') {
  const own = values(stored, id, ours, key);
  if (!own.length) return null;
  if (!peer) {
    const value = median(own);
    return {
      what,
      target: `${sign} ${shown(bound)} ${unit}`,
      measured: `${shown(value)} ${unit}`,
      met: HOLDS[sign](value, bound),
    };
  }
  const theirs = values(stored, id, peer, key);
  if (!theirs.length) return null;
  const value = ratio(own, theirs);
  const times = (number) => (number < 0.1 ? `1/${Math.round(1 / number)}` : `${shown(number)} ×`);
  return {
    what,
    target: `${sign} ${times(bound)} ${peerText}`,
    measured: `${times(value)} (${shown(median(own))} against ${shown(median(theirs))})`,
    met: HOLDS[sign](value, bound),
  };
}

module.exports = { limit, shown, values };
