// Prints the messages and signals it gets before its end, one JSON value a line after "got ".
'use strict';

const http = require('http');

process.on('message', (message) => console.log(`got ${JSON.stringify(message)}`));
process.on('disconnect', () => console.log('got "disconnect"'));
process.on('SIGTERM', () => {
  console.log('got "SIGTERM"');
  process.exit(0);
});

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000);
