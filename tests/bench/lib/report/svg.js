// Bar charts as SVG, readable on light and on dark ground: all text and bars are of middle brightness.
'use strict';

const LABELS = 96;
const BARS = 250;
const VALUES = 74;
const ROW = 19;
const TITLE = 30;
const HEAD = 24;
const GAP = 20;
const WIDTH = LABELS + BARS + VALUES;
const MOST_COLUMNS = 2;
const [TEXT, OURS, THEIRS, LINE] = ['#7d8590', '#2f81f7', '#8b949e', '#8b949e66'];

const escape = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

function bar({ name, value, text, ours }, index, most) {
  const y = HEAD + index * ROW;
  const width = most > 0 ? Math.max(1, (value / most) * BARS) : 1;
  const middle = y + ROW / 2 + 4;
  const weight = ours ? ' font-weight="bold"' : '';
  return (
    `<text x="${LABELS - 6}" y="${middle}" text-anchor="end"${weight}>${escape(name)}</text>` +
    `<rect x="${LABELS}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" rx="2" ` +
    `fill="${ours ? OURS : THEIRS}"/>` +
    `<text x="${(LABELS + width + 5).toFixed(1)}" y="${middle}"${weight}>${escape(text)}</text>`
  );
}

function chart({ title, unit, better, bars }, x, y) {
  const most = Math.max(...bars.map((one) => one.value));
  const note = `${unit ? `${unit}, ` : ''}${better === 'more' ? 'more' : 'less'} is better`;
  const bottom = HEAD + bars.length * ROW;
  return (
    `<g transform="translate(${x},${y})"><text x="0" y="14" font-weight="bold">${escape(title)}` +
    `<tspan font-weight="normal" dx="5">(${escape(note)})</tspan></text>` +
    `<path d="M${LABELS} ${HEAD}V${bottom}" stroke="${LINE}"/>${bars.map((one, i) => bar(one, i, most)).join('')}</g>`
  );
}

// `charts`: [{title, unit, better: 'more' or not, bars: [{name, value, text, ours}]}]
function barChart(title, charts) {
  const columns = Math.min(MOST_COLUMNS, charts.length);
  const height = (one) => HEAD + one.bars.length * ROW;
  let y = TITLE;
  const drawn = [];
  for (let first = 0; first < charts.length; first += columns) {
    const line = charts.slice(first, first + columns);
    line.forEach((one, i) => drawn.push(chart(one, i * (WIDTH + GAP), y)));
    y += Math.max(...line.map(height)) + GAP;
  }
  const width = columns * (WIDTH + GAP) - GAP;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" ` +
    `font-family="system-ui,sans-serif" font-size="12" fill="${TEXT}" role="img"><title>${escape(title)}</title>` +
    `<text x="0" y="16" font-size="15" font-weight="bold">${escape(title)}</text>\n${drawn.join('\n')}\n</svg>\n`
  );
}

module.exports = { barChart };
