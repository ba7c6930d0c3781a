// An ES module with a static import of http: by then the agent has been there already.
import { createServer } from 'node:http';

process.on('message', (message) => { if (message === 'ping') process.send('pong'); });
createServer((req, res) => res.end('esm')).listen(0, '127.0.0.1');
