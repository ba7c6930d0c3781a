// Requests to an API, at `where`: {port} or {socketPath}.
'use strict';

const http = require('http');

// {status, text}, of a request with `body` as JSON.
function ask(where, method, target, body) {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = text ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {};
  const options = { ...where, host: '127.0.0.1', agent: false, method, path: target, headers };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject).end(text);
  });
}

// A stream of server-sent events that is read until end(): its number of events so far is `events`. Resolves when it
// has begun.
function follow(where, target) {
  const stream = { events: 0, end: () => request.destroy() };
  let request;
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'text/event-stream' };
    request = http.get({ ...where, host: '127.0.0.1', agent: false, path: target, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${target}: status ${response.statusCode}`));
      response.setEncoding('utf8').on('error', () => {});
      response.on('data', (text) => {
        stream.events += text.split('data: ').length - 1;
        resolve(stream);
      });
    });
    request.on('error', reject);
  });
}

module.exports = { ask, follow };
