'use strict';

// node run.cjs [--only TEXT] [NODE_BINARY...]
// Runs every scenario of scenarios.cjs on each Node binary (default: those of tests/node_versions).

const { execFile, execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const SCENARIOS = path.join(__dirname, 'scenarios.cjs');
const NODE_MODULES = path.resolve(__dirname, '../node_versions/node_modules');
const PARALLEL = 3; // scenarios mostly wait
const LIMIT = 60000; // ms for one scenario

function arguments_() {
  const binaries = process.argv.slice(2);
  const only = binaries[0] === '--only' ? binaries.splice(0, 2)[1] : '';
  if (!binaries.length) {
    for (const major of [16, 18, 20, 22, 24]) binaries.push(path.join(NODE_MODULES, `node${major}`, 'bin', 'node'));
  }
  const missing = binaries.filter((file) => !fs.existsSync(file));
  if (missing.length) {
    console.error(`missing: ${missing.join(' ')}`);
    console.error(`install the Node versions with: npm ci --prefix ${path.dirname(NODE_MODULES)}`);
    process.exit(2);
  }
  return { only, binaries };
}

function run(binary, name) {
  return new Promise((resolve) => {
    execFile(binary, [SCENARIOS, name], { timeout: LIMIT, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const timedOut = error && error.killed ? `no end within ${LIMIT} ms\n` : '';
      resolve({ ok: !error, detail: (timedOut + stdout + stderr).trim() });
    });
  });
}

async function main() {
  const { only, binaries } = arguments_();
  const queue = [];
  for (const binary of binaries) {
    const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
    const names = JSON.parse(execFileSync(binary, [SCENARIOS, '--list'], { encoding: 'utf8' }));
    for (const name of names) if (name.includes(only)) queue.push({ binary, version, name });
  }
  let [passed, failed] = [0, 0];
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) {
      const { ok, detail } = await run(job.binary, job.name);
      if (ok) passed++; else failed++;
      const tail = ok ? (detail ? ` (${detail})` : '') : `\n    ${detail.replace(/\n/g, '\n    ')}`;
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${job.version.padEnd(9)} ${job.name}${tail}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed || !passed ? 1 : 0;
}

main();
