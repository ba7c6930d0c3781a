// Small statistics.
'use strict';

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (!sorted.length) return NaN;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const round = (value, digits = 2) => Number(value.toFixed(digits));

// Median of what pairs of the same round are to each other: drift of the machine falls out.
const ratio = (ours, theirs) => median(ours.map((value, i) => value / theirs[i]).filter(Number.isFinite));

module.exports = { median, ratio, round, sum };
