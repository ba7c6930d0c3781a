// Runs other programs and waits for things.
'use strict';

const { execFile, spawn } = require('child_process');
const net = require('net');
const http = require('http');

const LIMIT_MS = 600000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Stdout of a command that has to succeed.
function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: LIMIT_MS, maxBuffer: 64 << 20, ...options }, (error, out, err) => {
      if (!error) return resolve(out);
      const said = (err || out || error.message).trim().split('\n').slice(-5).join('\n  ');
      return reject(new Error(`${file} ${args.join(' ')}: ${said}`));
    });
  });
}

// A process that stays until stop() is called.
function runBeside(file, args, options = {}) {
  const child = spawn(file, args, { stdio: 'ignore', ...options });
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  return {
    pid: child.pid,
    stop: async () => {
      child.kill('SIGTERM');
      const patience = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(patience);
    },
  };
}

// The same, with what it prints as the result of stop(), which asks once and waits for as long as it takes.
function runOutput(file, args) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const parts = [];
  child.stdout.on('data', (part) => parts.push(part));
  const ended = new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      return Buffer.concat(parts).toString();
    },
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(what, holds, limit = 30000) {
  const deadline = Date.now() + limit;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limit / 1000} s in vain until ${what}`);
    await sleep(10);
  }
}

function answers(port, target = '/') {
  return new Promise((resolve) => {
    const where = { port, host: '127.0.0.1', agent: false, timeout: 5000, path: target };
    const request = http.get(where, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}

module.exports = { answers, freePort, run, runBeside, runOutput, sleep, until };
