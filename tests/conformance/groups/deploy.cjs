'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');

const { run } = require('../world.cjs');

const SERVER = "require('http').createServer((q, a) => a.end('deployed\\n')).listen(process.env.PORT || 3000);\n";

async function must(cwd, program, ...words) {
  const env = {
    PATH: process.env.PATH, HOME: cwd, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example',
  };
  const ran = await run(program, words, { cwd, env });
  if (ran.code !== 0) throw new Error(`${program} ${words.join(' ')}: exit code ${ran.code}\n${ran.err}`);
}

// An app, the package of it beside its folder, and a repository of it with the branch that is deployed.
async function makeApp(world) {
  const folder = path.join(world.folder, 'app');
  fs.mkdirSync(path.join(folder, 'package'), { recursive: true });
  for (const place of [folder, path.join(folder, 'package')]) {
    fs.writeFileSync(path.join(place, 'package.json'), '{"name":"packed","version":"1.0.0"}\n');
    fs.writeFileSync(path.join(place, 'server.js'), SERVER);
  }
  await must(folder, 'tar', '-czf', '../packed-1.0.0.tgz', 'package');
  fs.rmSync(path.join(folder, 'package'), { recursive: true });
  await must(folder, 'git', 'init', '--quiet', '--initial-branch', 'deploy');
  await must(folder, 'git', 'add', '.');
  await must(folder, 'git', 'commit', '--quiet', '-m', 'all');
  return folder;
}

module.exports = async (group) => {
  let world = await group.begin();
  group.folder = await makeApp(world);
  group.values.folder = group.folder;
  await group.play('a package');
  await group.play('the package that lies beside, of a given size');
  await group.play('as another service');
  await group.play('what is deployed runs');
  await group.play('a branch');
  await group.play('a folder');
  fs.writeFileSync(path.join(world.folder, 'broken.tgz'), 'no archive');
  await group.play('what is no package', ({ err }) => assert.doesNotMatch(err, /There is no method/));
  await group.play('a package that is not there');
  await group.play('a folder that is not there');

  world = await group.begin(['--http-auth', 'user:pa55']);
  group.folder = await makeApp(world);
  await group.play('a package without credentials');
  await group.play('a package with credentials');
  await group.play('a branch with credentials');
};
