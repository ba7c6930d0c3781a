'use strict';

// Plays the groups of cases: groups/NAME.cjs does what lies between the cases of expected/NAME.txt.

const assert = require('assert');
const fs = require('fs');
const path = require('path');

const { readCases, fillIn, matches } = require('./case_file.cjs');
const { World } = require('./world.cjs');

const GROUPS = fs.readdirSync(path.join(__dirname, 'groups')).map((file) => path.basename(file, '.cjs')).sort();

// "GROUP: CASE": what is known not to work yet, and has to leave this list once it does.
function readMissing() {
  const lines = fs.readFileSync(path.join(__dirname, 'missing.txt'), 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')));
}

class Group {
  constructor(name, missing) {
    Object.assign(this, { name, missing, values: {}, world: null, folder: undefined, played: new Set() });
    Object.assign(this, { passed: 0, absent: 0, deviations: 0, failures: [] });
    this.cases = readCases(path.join(__dirname, 'expected', `${name}.txt`));
  }

  // A new slcd with a gateway, instead of the one there was.
  async begin(options, env) {
    await this.end();
    this.world = await World.begin(options, env);
    const { url, info } = this.world;
    this.values = { url, version: info.version, daemon: info.pid, apiport: this.world.port };
    return this.world;
  }

  async end() {
    if (this.world) await this.world.end();
    this.world = null;
  }

  // Plays the case of that name; `then` gets what the client has said, and looks at what has become of it.
  async play(name, then) {
    const expected = this.cases.get(name);
    assert(expected, `${this.name}: there is no case '${name}'`);
    this.played.add(name);
    await this.judge(name, async () => {
      const ran = await this.compare(expected);
      if (then) await then(ran);
      if (expected.deviates) this.deviations += 1;
    });
  }

  // One that is no command of a client.
  async check(name, deed) {
    this.played.add(name);
    await this.judge(name, deed);
  }

  async judge(name, deed) {
    const known = this.missing.has(`${this.name}: ${name}`);
    let trouble = null;
    try {
      await deed();
    } catch (error) {
      trouble = error.message;
    }
    if (known && trouble) {
      this.absent += 1;
    } else if (known) {
      this.failures.push(`${name}\nworks: take it out of tests/conformance/missing.txt`);
    } else if (trouble) {
      this.failures.push(`${name}\n${trouble}`);
    } else {
      this.passed += 1;
    }
  }

  async compare(expected) {
    const [program, ...words] = expected.command.map((word) => fillIn(word, this.values));
    if (program === 'sl-pmctl' && !words.includes('-C')) words.unshift('-C', this.world.url);
    const enough = expected.until && ((out) => out.includes(fillIn(expected.until, this.values)));
    const ran = await this.world.client(program, words, { enough, cwd: this.folder });
    const same = matches(expected.out, ran.out, this.values) && matches(expected.err, ran.err, this.values);
    const ended = expected.until ? ran.signal === 'SIGTERM' : ran.code === expected.exit;
    if (same && ended) return ran;
    const end = ran.signal ? `signal ${ran.signal}` : `exit ${ran.code}`;
    const show = (lines, mark) => lines.map((line) => `${mark}${line}\n`).join('');
    const lines = (text) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
    throw new Error(`$ ${program} ${words.join(' ')}\n--- expected\n${show(expected.out, '| ')}${
      show(expected.err, '2| ')}exit ${expected.exit}\n--- got\n${show(lines(ran.out), '| ')}${
      show(lines(ran.err), '2| ')}${end}`);
  }
}

let group = null; // the one that is played

// Nothing is left behind, whoever ends us.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    console.log(`conformance: ended by ${signal}`);
    if (group) await group.end().catch(() => {});
    process.exit(1);
  });
}

async function playGroup(name, missing) {
  group = new Group(name, missing);
  const begin = process.uptime();
  try {
    await require(`./groups/${name}.cjs`)(group);
  } catch (error) {
    group.failures.push(`(between the cases)\n${error.stack}`);
  }
  await group.end().catch((error) => group.failures.push(`(at the end)\n${error.message}`));
  const left = [...group.cases.keys()].filter((each) => !group.played.has(each));
  if (group.failures.length === 0 && left.length > 0) group.failures.push(`never played: ${left.join(', ')}`);
  const seconds = Math.round(process.uptime() - begin);
  const notes = `${group.absent ? `, ${group.absent} missing` : ''}${
    group.deviations ? `, ${group.deviations} deviate on purpose` : ''}`;
  console.log(`${name.padEnd(12)} ${group.failures.length ? 'FAILED' : 'ok    '} ${String(seconds).padStart(4)} s  ${
    group.passed} passed${notes}`);
  for (const failure of group.failures) console.log(`---- ${name}: ${failure}\n----`);
  return group;
}

async function main(words) {
  if (words[0] === '--list') {
    console.log(GROUPS.join('\n'));
    return true;
  }
  for (const word of words) {
    if (!GROUPS.includes(word)) throw new Error(`there is no group '${word}'; --list names them`);
  }
  const missing = readMissing();
  const names = words.length > 0 ? words : GROUPS;
  let passed = 0;
  let failed = 0;
  const known = new Set();
  for (const name of names) {
    const played = await playGroup(name, missing);
    passed += played.passed;
    failed += played.failures.length;
    for (const each of played.played) known.add(`${name}: ${each}`);
  }
  const strays = [...missing].filter((each) => words.length === 0 && !known.has(each));
  for (const stray of strays) console.log(`missing.txt: there is no case '${stray}'`);
  console.log(`conformance: ${passed} passed, ${failed + strays.length} failed, ${
    missing.size} known to be missing, in ${Math.round(process.uptime())} s`);
  return failed + strays.length === 0;
}

main(process.argv.slice(2)).then((good) => { process.exitCode = good ? 0 : 1; }, (error) => {
  console.error(error.message);
  process.exitCode = 2;
});
