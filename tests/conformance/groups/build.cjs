'use strict';

// What sl-build makes runs when it is deployed here, and slc build makes the same of the same app.

const assert = require('assert');
const fs = require('fs');
const http = require('http');
const path = require('path');

const { freePort, run } = require('../world.cjs');

const SLC = path.join(process.env.SLC_BIN, 'slc');
const SERVER = "const ms = require('ms');\n" +
  "require('http').createServer((q, a) => a.end(`built ${ms(60000)}\\n`)).listen(process.env.PORT || 3000);\n";

async function must(cwd, program, ...words) {
  const env = {
    PATH: process.env.PATH, HOME: path.dirname(cwd), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null',
    npm_config_update_notifier: 'false',
  };
  const ran = await run(program, words, { cwd, env });
  if (ran.code !== 0) throw new Error(`${program} ${words.join(' ')}: exit code ${ran.code}\n${ran.out}${ran.err}`);
  return ran.out;
}

async function makeApp(world) {
  const folder = path.join(world.folder, 'app');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'),
    '{"name":"built","version":"1.0.0","scripts":{"start":"node server.js"},"dependencies":{"ms":"2.1.3"}}\n');
  fs.writeFileSync(path.join(folder, 'server.js'), SERVER);
  fs.writeFileSync(path.join(folder, '.gitignore'), 'node_modules\n');
  await must(folder, 'npm', 'install', '--package-lock-only', '--no-audit', '--no-fund');
  await must(folder, 'git', 'init', '--quiet', '--initial-branch', 'main');
  // The client commits, too.
  await must(folder, 'git', 'config', 'user.name', 'a');
  await must(folder, 'git', 'config', 'user.email', 'a@example');
  await must(folder, 'git', 'add', '.');
  await must(folder, 'git', 'commit', '--quiet', '-m', 'all');
  return folder;
}

// Files, without the folders that some archives name as well.
async function filesOf(folder, archive) {
  const names = (await must(folder, 'tar', '-tzf', archive)).trim().split('\n');
  const files = names.filter((name) => !names.some((other) => other.startsWith(`${name.replace(/\/$/, '')}/`)
    && other !== name));
  return files.filter((name) => !name.endsWith('/')).sort();
}

function answerOf(port) {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path: '/', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (more) => { text += more; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
}

async function serves(world, name) {
  const view = await world.view(name);
  const [address] = world.workers(view)[0].listening;
  assert.strictEqual(await answerOf(Number(address.split(':').pop())), 'built 1m\n');
}

module.exports = async (group) => {
  const world = await group.begin();
  group.folder = await makeApp(world);
  // What a new service gets may be another's.
  for (const name of ['packed', 'pushed']) {
    await world.slc('ctl', 'create', name, '--size', '1');
    await world.slc('ctl', 'env-set', name, `PORT=${await freePort()}`);
  }
  await group.play('a package');
  await group.play('the package is deployed', () => serves(world, 'packed'));
  await group.check('slc build packs the same files', async () => {
    const theirs = await filesOf(group.folder, '../built-1.0.0.tgz');
    await must(group.folder, SLC, 'build', '--npm');
    assert.deepStrictEqual(await filesOf(group.folder, '../built-1.0.0.tgz'), theirs);
  });
  await group.play('a branch');
  await group.play('the branch is deployed', () => serves(world, 'pushed'));
  await group.check('slc build commits the same files', async () => {
    await must(group.folder, SLC, 'build', '--git', '--onto', 'ours');
    const tree = (branch) => must(group.folder, 'git', 'ls-tree', '-r', '--name-only', branch);
    assert.strictEqual(await tree('ours'), await tree('deploy'));
  });
};
