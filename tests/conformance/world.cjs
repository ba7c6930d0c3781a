'use strict';

// A slcd with its gateway, in a home of its own, on ports that nobody else has.

const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');

const SLC = path.join(process.env.SLC_BIN, 'slc');
const CLIENTS = {
  'sl-pmctl': path.join(process.env.SLC_CLIENTS, 'strong-pm/bin/sl-pmctl.js'),
  'sl-deploy': path.join(process.env.SLC_CLIENTS, 'strong-deploy/bin/sl-deploy.js'),
  'sl-build': path.join(process.env.SLC_CLIENTS, 'strong-build/bin/sl-build.js'),
};
const APP = path.resolve(__dirname, '../apps/express4');
// LoopBack's, on a setting of sl-deploy's own.
const NOTICE = /\nThe user model "User" is attached[^]*?AccessToken-invalidation\.html\n\n/;
const PATIENCE = 60000; // ms; what takes longer has failed

const now = () => process.uptime() * 1000;
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Asks until `question` has a true answer, and gives that.
async function until(what, question, patience = PATIENCE) {
  const deadline = now() + patience;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (now() > deadline) throw new Error(`waited ${patience} ms in vain for: ${what}`);
    await pause(50);
  }
}

// Nobody listens there at this moment.
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// Runs a program to its end. `enough(stdout)`: it is told to end.
function run(program, words, { env = {}, cwd, enough } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const ran = { out: '', err: '', code: null, signal: null };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      ran.err += `killed: it was not done after ${PATIENCE} ms\n`;
    }, PATIENCE);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      ran.out += text;
      if (enough && enough(ran.out)) child.kill('SIGTERM');
    });
    child.stderr.setEncoding('utf8').on('data', (text) => { ran.err += text; });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(Object.assign(ran, { code, signal }));
    });
  });
}

class World {
  // `options` of slc gateway start, besides where it listens.
  static async begin(options = [], env = {}) {
    const world = new World();
    world.home = fs.mkdtempSync(path.join(os.tmpdir(), 'slc-conformance-'));
    world.folder = path.join(world.home, 'here');
    fs.mkdirSync(world.folder);
    world.env = {
      PATH: process.env.PATH, HOME: world.folder, LANG: 'C.UTF-8', SLC_HOME: path.join(world.home, 'slc'), ...env,
    };
    world.port = await freePort();
    world.url = `http://127.0.0.1:${world.port}`;
    world.listen = `127.0.0.1:${world.port}`;
    try {
      await world.slc('gateway', 'start', '--listen', world.listen, ...options);
      world.info = (await world.json('ctl', 'info', '--json')).info;
    } catch (error) {
      await world.end();
      throw error;
    }
    return world;
  }

  // Fails if it does.
  async slc(...words) {
    const ran = await run(SLC, words, { env: this.env, cwd: this.folder });
    if (ran.code !== 0) throw new Error(`slc ${words.join(' ')}: exit code ${ran.code}\n${ran.out}${ran.err}`);
    return ran.out;
  }

  async json(...words) { return JSON.parse(await this.slc(...words)); }

  async view(name) {
    return (await this.json('ctl', 'status', '--json')).find((service) => service.name === name);
  }

  workers(view) { return view.processes.filter((process) => process.worker !== 0 && process.pid > 0); }

  // The Express app, running and serving; gives the port that it listens on.
  async startApp(name, size = 1) {
    const port = await freePort();
    await this.slc('start', APP, '--name', name, '--size', String(size), '--port', String(port));
    return port;
  }

  // StrongLoop's client, with only what it says itself on stderr: not what Node and its libraries have to
  // say on their age.
  async client(name, words, { enough, cwd } = {}) {
    const env = { ...this.env, NODE_OPTIONS: '--no-deprecation', NO_DEPRECATION: '*' };
    const ran = await run(process.execPath, [CLIENTS[name], ...words], { env, cwd: cwd || this.folder, enough });
    ran.err = ran.err.replace(NOTICE, '').split('\n').filter((line) => !/deprecat/i.test(line)).join('\n');
    return ran;
  }

  // A request as curl would send it; `body` is sent as JSON.
  async ask(method, target, body) {
    const words = ['-sS', '--max-time', '30', '-X', method, '-w', '\n%{http_code}', '--globoff', this.url + target];
    if (method === 'HEAD') words.splice(3, 2, '--head');
    if (body !== undefined) words.push('-H', 'Content-Type: application/json', '-d', JSON.stringify(body));
    const ran = await run('curl', words, { env: this.env });
    const end = ran.out.lastIndexOf('\n');
    const text = ran.out.slice(0, end);
    const answer = { status: Number(ran.out.slice(end + 1)), text };
    try { answer.json = JSON.parse(text); } catch { answer.json = undefined; }
    return answer;
  }

  async end() {
    await run(SLC, ['ctl', 'shutdown'], { env: this.env, cwd: this.folder });
    if (this.info) await until(`the end of slcd, pid ${this.info.pid}`, () => this.isOver());
    fs.rmSync(this.home, { recursive: true, force: true });
  }

  // slcd has ended, whether it was waited for or not.
  isOver() {
    try {
      return / Z /.test(fs.readFileSync(`/proc/${this.info.pid}/stat`, 'utf8'));
    } catch {
      return true;
    }
  }
}

module.exports = { World, until, freePort, run, APP };
