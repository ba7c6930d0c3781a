'use strict';

// The cases of one group, a file that can be read as a session: what is typed, what comes, and how it
// ends. Lines of a case after its "== NAME":
//
//   $ sl-pmctl create web      the command; in a shell's double quotes if a word has blanks
//   deviates: WHY              the answer is not the original's, on purpose
//   | TEXT                     a line of standard output
//   2| TEXT                    a line of standard error
//   exit N                     its exit code; 0 if nothing is said
//   until: TEXT                it goes on for ever, and is ended once it has printed this
//
// Blanks count as one: the client pads its tables to the widest pid. "..." stands for any lines, of what the
// line before is of.
// In commands and answers <name> is a value that the group has set, or of a kind, see KINDS: <text> is any,
// and <pid1> any which <pid1> is then from there on, in the cases that follow as well.

const fs = require('fs');

const KINDS = {
  pid: '[1-9][0-9]*',
  number: '[0-9]+',
  time: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z',
  date: '[A-Z][a-z]{2} [A-Z][a-z]{2} \\d\\d \\d{4} [^\\n]*',
  text: '[^\\n]+',
};
const PLACE = /<([a-z]+)(\d*)>/g;

function readCases(file) {
  const cases = new Map();
  let current = null;
  let stream = 'out';
  const fail = (number, what) => { throw new Error(`${file}:${number}: ${what}`); };
  fs.readFileSync(file, 'utf8').split('\n').forEach((line, index) => {
    const number = index + 1;
    const words = /^(== |\$ |deviates: |\| ?|2\| ?|exit |until: |\.\.\.$)(.*)$/.exec(line);
    if (line === '' || line.startsWith('#')) return;
    if (!words) fail(number, `what is '${line}'?`);
    const [, mark, rest] = words;
    if (mark === '== ') {
      if (cases.has(rest)) fail(number, `there is another '${rest}'`);
      stream = 'out';
      current = { name: rest, command: null, deviates: '', out: [], err: [], exit: 0, until: null };
      cases.set(rest, current);
      return;
    }
    if (!current) fail(number, 'no case has begun');
    switch (mark.trim()) {
      case '$': current.command = splitWords(rest); break;
      case 'deviates:': current.deviates += rest; break;
      case '|': current.out.push(rest); stream = 'out'; break;
      case '2|': current.err.push(rest); stream = 'err'; break;
      case '...': current[stream].push(mark); break;
      case 'exit': current.exit = Number(rest); break;
      default: current.until = rest;
    }
  });
  for (const each of cases.values()) {
    if (!each.command) throw new Error(`${file}: '${each.name}' has no command`);
  }
  return cases;
}

function splitWords(text) {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => (match[1] !== undefined ? match[1] : match[2]));
}

function fillIn(text, values) {
  return text.replace(PLACE, (place, kind, digits) => {
    const value = values[kind + digits];
    if (value === undefined) throw new Error(`nothing is known of ${place}`);
    return String(value);
  });
}

const quote = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const squeeze = (text) => text.split('\n').map((line) => line.replace(/ +/g, ' ').trimEnd()).join('\n');

function patternOf(lines, values) {
  const seen = new Set();
  const line = (text) => {
    let pattern = '';
    let end = 0;
    for (const match of text.matchAll(PLACE)) {
      const [place, kind, digits] = match;
      pattern += quote(text.slice(end, match.index));
      end = match.index + place.length;
      const name = kind + digits;
      if (values[name] !== undefined) pattern += quote(squeeze(String(values[name])));
      else if (seen.has(name)) pattern += `\\k<${name}>`;
      else if (!KINDS[kind]) throw new Error(`nothing is known of ${place}`);
      else if (digits === '') pattern += KINDS[kind];
      else {
        seen.add(name);
        pattern += `(?<${name}>${KINDS[kind]})`;
      }
    }
    return `${pattern}${quote(text.slice(end))}\n`;
  };
  const body = lines.map((text) => (text === '...' ? '(?:[^\\n]*\\n)*?' : line(squeeze(text))));
  return new RegExp(`^${body.join('')}$`);
}

// Whether `text` is what `lines` say. What it has to say of values that were not known is put there.
function matches(lines, text, values) {
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  const found = patternOf(lines, values).exec(squeeze(whole));
  if (found && found.groups) Object.assign(values, found.groups);
  return found !== null;
}

module.exports = { readCases, fillIn, matches };
