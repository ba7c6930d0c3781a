// What is told of stored results: text, the tables of the README, and the plots.
'use strict';

const fs = require('fs');
const path = require('path');
const { MANAGERS } = require('../managers');
const { machineLine } = require('../machine');
const { rows } = require('../rows');
const { median } = require('../numbers');
const { shown, values } = require('../targets');
const { barChart } = require('./svg');
const { PLOTS } = require('./plots');

const GROUPS = {
  a: 'Memory',
  b: 'Commands',
  c: 'Idle',
  d: 'Requests',
  e: 'Reloads and killed workers',
  f: 'Faults and logs',
  g: 'Many at once',
  i: 'The HTTP side',
  h: 'What the machine takes',
};
// The blows of rows/killed.js are columns, too.
const TITLES = {
  ...Object.fromEntries(Object.entries(MANAGERS).map(([name, { title }]) => [name, title])),
  'slc-master': 'slc: the masters',
  'slc-both': 'slc: slcd and masters',
};
const [BEGIN, END] = ['<!-- tests/bench/run -->', '<!-- end -->'];

// The metrics that have figures: {id, group, title, unit, better, cells: {manager: {value, why}}}
function measured(options, stored) {
  return rows
    .flatMap((row) => row.cases(options))
    .filter((what) => stored[what.id])
    .flatMap((what) =>
      what.metrics.map((metric) => ({
        ...metric,
        id: what.id,
        cells: Object.fromEntries(
          Object.entries(stored[what.id].figures).map(([name, figure]) => {
            const all = values(stored, what.id, name, metric.key);
            return [name, all.length ? { value: median(all) } : { why: figure.why || '' }];
          }),
        ),
      })),
    );
}

const cell = (text) => text.trim().replace(/\|/g, '\\|');
const targets = (stored) => rows.flatMap((row) => row.targets(stored)).filter(Boolean);
const number = (value) =>
  value.toLocaleString('en', value >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });

// The best of all that manage is bold.
function best(row) {
  if (row.better === 'neither') return NaN;
  const all = Object.entries(row.cells)
    .filter(([name, cell]) => name !== 'plain' && Number.isFinite(cell.value))
    .map(([, cell]) => cell.value);
  return all.length > 1 ? (row.better === 'more' ? Math.max(...all) : Math.min(...all)) : NaN;
}

function table(group, all) {
  const here = all.filter((row) => row.group === group);
  if (!here.length) return [];
  const order = Object.keys(TITLES).sort((a, b) => rank(a) - rank(b));
  const columns = order.filter((name) => here.some((row) => row.cells[name]));
  const reasons = new Map();
  const shownIn = (row, name) => {
    const one = row.cells[name];
    if (!one) return '';
    if (Number.isFinite(one.value)) return one.value === best(row) ? `**${number(one.value)}**` : number(one.value);
    if (!one.why) return '';
    if (!reasons.has(one.why)) reasons.set(one.why, reasons.size + 1);
    return `(${reasons.get(one.why)})`;
  };
  const lines = here.map((row) => {
    const what = row.unit ? `${row.title}, ${row.unit}` : row.title;
    return `| ${what} | ${columns.map((name) => shownIn(row, name)).join(' | ')} |`;
  });
  const why = [...reasons].map(([text, index]) => `(${index}) ${text}`).join('; ');
  return [
    `**${GROUPS[group]}**`,
    '',
    `| | ${columns.map((name) => TITLES[name]).join(' | ')} |`,
    `| --- |${' ---: |'.repeat(columns.length)}`,
    ...lines,
    '',
    ...(why ? [`${why}.`, ''] : []),
  ];
}

const ORDER = Object.keys(MANAGERS);
const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : 0.5);

function machines(stored) {
  const [first] = Object.values(stored)
    .map((result) => result.machine)
    .sort((a, b) => (a.date < b.date ? 1 : -1));
  return first ? machineLine(first) : '';
}

function markdown(options, stored) {
  const goals = targets(stored).map(
    ({ what, target, measured: value, met }) =>
      `| ${cell(what)} | ${cell(target)} | ${cell(value)}${met ? '' : ' (not met)'} |`,
  );
  const all = measured(options, stored);
  return [
    '| what | target | measured |',
    '| --- | --- | --- |',
    ...goals,
    '',
    ...Object.keys(GROUPS).flatMap((group) => table(group, all)),
    `${machines(stored)}.`,
    '',
  ].join('\n');
}

function text(options, stored) {
  const lines = targets(stored).map(
    ({ what, target, measured: value, met }) => `${met ? 'met    ' : 'NOT MET'}  ${what}: ${value}, target ${target}`,
  );
  for (const row of measured(options, stored)) {
    lines.push(`${row.group}  ${row.title}${row.unit ? `, ${row.unit}` : ''}`);
    for (const [name, cell] of Object.entries(row.cells)) {
      if (Number.isFinite(cell.value)) lines.push(`     ${TITLES[name].padEnd(22)} ${shown(cell.value)}`);
      else if (cell.why) lines.push(`     ${TITLES[name].padEnd(22)} - ${cell.why}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

// Files and what README shows of them.
function plots(options, stored) {
  const all = measured(options, stored);
  return PLOTS.flatMap((plot) => {
    const charts = plot.metrics
      .map(([id, key, title]) => {
        const row = all.find((one) => one.id === id && one.key === key);
        return row && { title, unit: row.unit, better: row.better, bars: bars(row, plot.managers) };
      })
      .filter((chart) => chart && chart.bars.length > 1);
    return charts.length ? [{ file: `${plot.name}.svg`, title: plot.title, svg: barChart(plot.title, charts) }] : [];
  });
}

function bars(row, managers) {
  return Object.keys(TITLES)
    .sort((a, b) => rank(a) - rank(b))
    .filter((name) => !managers || managers.includes(name))
    .filter((name) => row.cells[name] && Number.isFinite(row.cells[name].value))
    .map((name) => ({
      name: TITLES[name],
      value: row.cells[name].value,
      text: number(row.cells[name].value),
      ours: name.startsWith('slc'),
    }));
}

function intoReadme(options, stored) {
  const folder = path.join(options.top, 'packaging/plots');
  fs.mkdirSync(folder, { recursive: true });
  const drawn = plots(options, stored);
  for (const { file, svg } of drawn) fs.writeFileSync(path.join(folder, file), svg);
  const pictures = drawn.map(({ file, title }) => `![${title}](packaging/plots/${file})`).join('\n');
  const readme = path.join(options.top, 'README.md');
  const before = fs.readFileSync(readme, 'utf8');
  const [from, to] = [before.indexOf(BEGIN), before.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${readme} has no ${BEGIN} ... ${END} to put it into`);
  fs.writeFileSync(
    readme,
    `${before.slice(0, from)}${BEGIN}\n${markdown(options, stored)}\n${pictures}\n${before.slice(to)}`,
  );
}

module.exports = { intoReadme, markdown, text };
