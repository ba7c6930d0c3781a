// TLS clients that resume one session: node tls_sessions.cjs PORT VERSION COUNT
//
// Prints {"workers": {ID: {"resumed": n, "full": n}}}: what each worker made of COUNT connections that
// offered the session of the first one. VERSION is TLSv1.2 or TLSv1.3.
'use strict';

const tls = require('tls');

const [port, version, count] = process.argv.slice(2);

function visit(session) {
  return new Promise((resolve, reject) => {
    let text = '';
    let ticket = null;
    let resumed = false;
    const socket = tls.connect({
      port: Number(port), rejectUnauthorized: false, minVersion: version, maxVersion: version, session,
    });
    socket.setEncoding('utf8');
    socket.on('session', (each) => { ticket = each; });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      resumed = socket.isSessionReused();
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    socket.on('data', (chunk) => { text += chunk; });
    socket.on('close', () => {
      const worker = /^x-worker: (.*)$/im.exec(text);
      resolve({ worker: worker ? worker[1].trim() : 'none', resumed, ticket });
    });
  });
}

async function main() {
  const first = await visit(null);
  const workers = {};
  for (let i = 0; i < Number(count); i += 1) {
    const { worker, resumed } = await visit(first.ticket);
    workers[worker] = workers[worker] || { resumed: 0, full: 0 };
    workers[worker][resumed ? 'resumed' : 'full'] += 1;
  }
  console.log(JSON.stringify({ first: first.worker, firstResumed: first.resumed, workers }));
}

main();
