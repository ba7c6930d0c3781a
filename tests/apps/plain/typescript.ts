// The plainest server in TypeScript; only types to strip, for Nodes that run it as it is (22.18, 24).
import http, { type IncomingMessage, type ServerResponse } from 'node:http';

const port: string | number = process.env.PORT || 3000;

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.end(`${process.pid}\n`);
}

http.createServer(answer).listen(port);
