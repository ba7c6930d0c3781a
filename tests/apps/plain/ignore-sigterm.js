// Answers SIGTERM and SIGINT with a line and stays; the timer keeps it alive without any connection.
'use strict';

const http = require('http');

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => console.log(`${signal} ignored`));
}
setInterval(() => {}, 60000);

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000);
