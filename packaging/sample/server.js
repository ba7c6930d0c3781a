'use strict';

const cluster = require('node:cluster');
const express = require('express');

const app = express();
const port = process.env.PORT || 3000;

app.get('/', (request, response) => {
  const place = cluster.worker ? `worker ${cluster.worker.id}` : 'no cluster';
  response.type('text').send(`Hello from pid ${process.pid} (${place})\n`);
});

app.listen(port, () => {
  console.log(`my-app listens on port ${port}`);
});
