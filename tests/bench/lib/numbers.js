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
const ratio = (ours, theirs) => median(ours.map((value, i) => value / theirs[i]));

// "1.02 (0.97 to 1.10)", the bounds leaving out a quarter at each end.
function spread(values, digits = 2) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))], digits);
  return `${round(median(values), digits)} (${at(0.25)} to ${at(0.75)})`;
}

module.exports = { median, ratio, round, spread, sum };
