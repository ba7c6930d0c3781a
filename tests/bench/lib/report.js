// A result is {what, target, measured, peer, met, data}: texts for people, a yes or no, all figures.
'use strict';

const { machineLine } = require('./machine');

const verdict = (result) => (result.met ? 'met' : 'NOT MET');

function printResult({ what, target, measured, peer, met }) {
  console.log(`${what}\n    measured  ${measured}\n    target    ${target}: ${verdict({ met })}`);
  if (peer) console.log(`    peer      ${peer}`);
}

function toMarkdown({ machine, results }) {
  const cell = (text) => String(text || '').replace(/\|/g, '\\|');
  const lines = results.map((result) =>
    `| ${cell(result.what)} | ${cell(result.target)} | ${cell(result.measured)}${result.met ? '' : ' (not met)'} ` +
    `| ${cell(result.peer)} |`);
  return ['| what | target | measured | peer |', '| --- | --- | --- | --- |', ...lines, '',
    `${machineLine(machine)}.`, ''].join('\n');
}

module.exports = { printResult, toMarkdown };
