// An HTTP/2 client for the drain tests: node http2.cjs URL SLOW_PATH
//
// One session: a quick request, then a slow one that is in flight when the server drains. Prints a line
// "waiting" once the slow one is out, then one JSON object: {first, slow, goaway, again} with the statuses,
// whether GOAWAY came, and the status of a request on a new session afterwards.
'use strict';

const http2 = require('http2');

const [url, slowPath] = process.argv.slice(2);
const result = { first: 0, slow: 0, slowBody: '', goaway: false, again: 0, error: '' };

function connect() {
  const session = http2.connect(url, { rejectUnauthorized: false });
  session.on('error', (error) => { result.error += `${error.message}; `; });
  session.on('goaway', () => { result.goaway = true; });
  return session;
}

function request(session, path) {
  return new Promise((resolve) => {
    const stream = session.request({ ':path': path });
    let status = 0;
    let body = '';
    stream.setEncoding('utf8');
    stream.on('response', (headers) => { status = headers[':status']; });
    stream.on('data', (chunk) => { body += chunk; });
    stream.on('error', (error) => { result.error += `${path}: ${error.message}; `; });
    stream.on('close', () => resolve({ status, body }));
    stream.end();
  });
}

async function main() {
  const session = connect();
  const closed = new Promise((resolve) => { session.on('close', resolve); });
  result.first = (await request(session, '/')).status;
  const slow = request(session, slowPath);
  console.log('waiting');
  const answer = await slow;
  result.slow = answer.status;
  result.slowBody = answer.body;
  await closed; // by the server's GOAWAY, as we keep it
  const fresh = connect();
  result.again = (await request(fresh, '/')).status;
  fresh.close();
  console.log(JSON.stringify(result));
}

main();
