// A process manager that only speaks: the part of StrongLoop's REST API that a deployment asks for.
//
//     node mesh_server.cjs '{"listen": "127.0.0.1", "log": FILE, ...}'
//
// Prints the port (or the path) once it listens, and writes a line of JSON per request to `log`:
// {method, url, headers, bytes, sha256}. What it plays is said by the other members:
//
//     listen     address, or "unix:PATH"
//     auth       value of Authorization without which all is 401
//     services   names that exist
//     deploy     ndjson | original | fails | cut | reset | silent-end | status:N | early:N | slow-notes
//     repository folder of a bare repository that takes pushes
//     tls        {key, cert, ca}: files; with `ca` clients need a certificate
//     version    of the API
//     after      requests after which a kept connection is closed
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const https = require('https');
const { spawn } = require('child_process');

const play = JSON.parse(process.argv[2]);
const services = (play.services || []).map((name, i) => ({ id: i + 1, name }));

function record(request, hash, bytes) {
  const line = { method: request.method, url: request.url, headers: request.headers, bytes };
  if (hash) line.sha256 = hash.digest('hex');
  fs.appendFileSync(play.log, JSON.stringify(line) + '\n');
}

function json(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

function row({ id, name }) {
  return { name, env: {}, id, _groups: [{ name: 'default', scale: 1, id: 1 }] };
}

function error(response, status, message) {
  json(response, status, { error: { name: 'Error', status, statusCode: status, message } });
}

function api(request, response, body) {
  const url = new URL(request.url, 'http://x');
  const path = url.pathname.toLowerCase();
  if (path === '/api/api') {
    return json(response, 200, { version: '6.0.1', apiVersion: play.version || '6.1.0' });
  }
  if (path === '/api/services/findone') {
    const [{ name }, { id }] = JSON.parse(url.searchParams.get('filter')).where.or;
    const found = services.find((each) => each.name === name || String(each.id) === id);
    if (found) return json(response, 200, row(found));
    return error(response, 404, 'Unknown "ServerService" id "undefined".');
  }
  if (path === '/api/services' && request.method === 'POST') {
    const made = { id: services.length + 1, name: JSON.parse(body).name };
    services.push(made);
    return json(response, 200, row(made));
  }
  if (path.endsWith('/setclustersize')) {
    if (JSON.parse(body).size === '13') return json(response, 200, [{ instance: 1, error: 'unlucky' }]);
    return json(response, 200, [{ instance: {}, response: { message: 'size was changed' } }]);
  }
  return error(response, 404, `There is no method to handle ${request.method} ${url.pathname}`);
}

function deployed(request, response) {
  const [how, argument] = play.deploy.split(':');
  const line = (value) => response.write(JSON.stringify(value) + '\n');
  if (how === 'status') return error(response, Number(argument), 'no, for a reason');
  if (how === 'original' || !String(request.headers.accept).includes('application/x-ndjson')) {
    return response.end('Application received');
  }
  if (how === 'reset') return request.socket.destroy();
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
  line({ note: 'unpacked 3 files' });
  line({ output: 'added 1 \u001b[31mpackage' });
  line({});
  if (how === 'cut') return response.socket.destroySoon();
  if (how === 'silent-end') return response.end();
  if (how === 'fails') {
    line({ error: { code: 'not_ready', message: 'worker 3 did not get ready', log_tail: ['boom\u0007'] } });
    return response.end();
  }
  line({ done: { release: '9f2c', text: '2 workers run release 9f2c' } });
  return response.end();
}

function git(request, response, url) {
  const prefix = /^(\/api\/services\/\d+\/deploy\/default)(\/.*)$/.exec(url.pathname);
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: play.repository,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'someone',
      PATH_INFO: prefix[2],
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] || '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] || '',
      GIT_PROTOCOL: request.headers['git-protocol'] || '',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(backend.stdin);
  let head = Buffer.alloc(0);
  let begun = false;
  backend.stdout.on('data', (data) => {
    if (begun) return response.write(data);
    head = Buffer.concat([head, data]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    begun = true;
    let status = 200;
    for (const header of head.toString('latin1', 0, end).split('\r\n')) {
      const [name, ...value] = header.split(': ');
      if (name === 'Status') status = Number(value[0].split(' ')[0]);
      else response.setHeader(name, value.join(': '));
    }
    response.writeHead(status);
    return response.write(head.subarray(end + 4));
  });
  backend.stdout.on('end', () => response.end());
}

let asked = 0;

function onRequest(request, response) {
  asked += 1;
  const url = new URL(request.url, 'http://x');
  if (play.auth && request.headers.authorization !== play.auth) {
    record(request, null, 0);
    response.writeHead(401, { 'Content-Type': 'text/plain', 'WWW-Authenticate': 'Basic realm="strong-pm"' });
    return response.end('401 Unauthorized');
  }
  if (play.after && asked === play.after) response.setHeader('Connection', 'close');
  if (play.repository && url.pathname.includes('/deploy/default/')) {
    record(request, null, 0);
    return git(request, response, url);
  }
  const deploy = url.pathname.endsWith('/deploy/default');
  if (deploy && play.deploy.startsWith('early:')) {
    record(request, null, 0);
    error(response, Number(play.deploy.slice(6)), 'too much of it');
    return response.once('finish', () => request.destroy());
  }
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  const pieces = [];
  request.on('data', (data) => {
    bytes += data.length;
    hash.update(data);
    if (!deploy) pieces.push(data);
    if (deploy && play.keep) fs.appendFileSync(play.keep, data);
  });
  request.on('error', () => {});
  return request.on('end', () => {
    record(request, hash, bytes);
    if (deploy) return deployed(request, response);
    return api(request, response, Buffer.concat(pieces).toString());
  });
}

function makeServer() {
  if (!play.tls) return http.createServer(onRequest);
  const { key, cert, ca } = play.tls;
  return https.createServer(
    {
      key: fs.readFileSync(key),
      cert: fs.readFileSync(cert),
      ca: ca && fs.readFileSync(ca),
      requestCert: Boolean(ca),
      rejectUnauthorized: Boolean(ca),
    },
    onRequest,
  );
}

const server = makeServer();
const told = () => {
  const address = server.address();
  console.log(typeof address === 'string' ? address : address.port);
};
if (play.listen.startsWith('unix:')) server.listen(play.listen.slice(5), told);
else server.listen(0, play.listen, told);
