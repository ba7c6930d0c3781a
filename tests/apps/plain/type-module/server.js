// A .js file that is an ES module, because package.json says so: whatever is preloaded as .js breaks here.
import http from 'node:http';

http
  .createServer((request, response) => response.end(`${process.pid}\n`))
  .listen(process.env.PORT || 3000);
