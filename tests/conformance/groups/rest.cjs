'use strict';

// What no command of sl-pmctl asks for, but Arc, sl-deploy and scripts do.

const assert = require('assert');

const { run } = require('../world.cjs');

module.exports = async (group) => {
  const world = await group.begin();
  await world.startApp('web', 1);
  await world.slc('ctl', 'create', 'bare');

  const ask = (...words) => world.ask(...words);
  const get = async (target) => {
    const answer = await ask('GET', target);
    assert.strictEqual(answer.status, 200, `${target}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  const isError = (answer, status, message) => {
    assert.strictEqual(answer.status, status, answer.text);
    assert.strictEqual(answer.json.error.message, message);
  };
  const names = (rows) => rows.map((row) => row.name);
  const filter = (value) => `filter=${encodeURIComponent(JSON.stringify(value))}`;

  await group.check('the root says since when', async () => {
    const { started, uptime } = await get('/');
    assert(Date.parse(started) > 0 && uptime >= 0);
  });
  await group.check('routes that are not there', async () => {
    isError(await ask('GET', '/api'), 404, 'There is no method to handle GET /');
    isError(await ask('GET', '/api/NoSuch'), 404, 'There is no method to handle GET /NoSuch');
  });
  await group.check('rows that are not there', async () => {
    isError(await ask('GET', '/api/Services/99'), 404, 'Unknown "ServerService" id "99".');
    isError(await ask('GET', '/api/Services/abc'), 404, 'Unknown "ServerService" id "abc".');
    assert.strictEqual((await ask('HEAD', '/api/Services/99')).status, 404);
    assert.strictEqual((await ask('HEAD', '/api/Services/1')).status, 200);
    assert.deepStrictEqual(await get('/api/Services/99/exists'), { exists: false });
  });
  await group.check('a service without a name', async () => {
    const answer = await ask('POST', '/api/Services', {});
    isError(answer, 422, 'The `ServerService` instance is not valid. '
      + "Details: `name` can't be blank (value: undefined).");
    assert.deepStrictEqual(answer.json.error.details.codes, { name: ['presence'] });
  });
  await group.check('a body that is no JSON', async () => {
    const words = ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'PUT', '-d', 'value=v'];
    const ran = await run('curl', [...words, `${world.url}/api/Services/1/env/ONE`],
      { env: world.env });
    assert.strictEqual(ran.out, '400');
  });
  await group.check('filters in both their forms', async () => {
    assert.deepStrictEqual(names(await get('/api/Services?filter[where][name]=web')), ['web']);
    assert.deepStrictEqual(names(await get(`/api/Services?${filter({ order: ['id DESC'] })}`)), ['bare', 'web']);
    const both = { where: { or: [{ name: '2' }, { id: '2' }] } };
    assert.strictEqual((await get(`/api/services/findOne?${filter(both)}`)).name, 'bare');
    const live = await get('/api/ServiceInstances/1/processes?filter[where][stopTime]=null&filter[limit]=1');
    assert.strictEqual(live.length, 1);
    assert.strictEqual(live[0].workerId, 0);
  });
  await group.check('each model by its id, counted and first', async () => {
    for (const model of ['Services', 'Executors', 'ServiceInstances', 'ServiceProcesses']) {
      const rows = await get(`/api/${model}`);
      assert(rows.length > 0, model);
      assert.deepStrictEqual(await get(`/api/${model}/count`), { count: rows.length });
      assert.strictEqual((await get(`/api/${model}/findOne`)).id, rows[0].id);
      assert.strictEqual((await get(`/api/${model}/${rows[0].id}`)).id, rows[0].id);
      assert.deepStrictEqual(await get(`/api/${model}/${rows[0].id}/exists`), { exists: true });
    }
  });
  await group.check('rows have what clients look at', async () => {
    const service = await get('/api/Services/1');
    assert.strictEqual(service._groups[0].name, 'default');
    assert(service.deploymentInfo.hash && service.deploymentInfo.dir);
    assert.strictEqual((await get('/api/Services/2')).deploymentInfo, undefined);
    assert.deepStrictEqual(await get('/api/Services/1/groups'), [{ id: 1, name: 'default', scale: 1 }]);
    const [instance] = await get('/api/Services/1/instances');
    assert.strictEqual(instance.setSize, 1);
    assert.strictEqual(instance.PMPort, world.port);
    assert.strictEqual(instance.containerVersionInfo.os.platform, 'linux');
    const [master, worker] = await get('/api/ServiceInstances/1/processes');
    assert.strictEqual(worker.parentPid, master.pid);
    assert.strictEqual(worker.stopReason, '');
  });
  await group.check('variables one by one', async () => {
    const put = await ask('PUT', '/api/Services/2/env/ONE', 'v');
    assert.deepStrictEqual(put.json, { env: { ONE: 'v' } });
    assert.deepStrictEqual((await ask('DELETE', '/api/Services/2/env/ONE')).json, { env: {} });
  });
  await group.check('the size of an instance', async () => {
    const put = await ask('PUT', '/api/ServiceInstances/1', { cpus: '2', setSize: 9 });
    assert.strictEqual(put.status, 200, put.text);
    assert.strictEqual((await world.view('web')).size, '2');
  });
  await group.check('actions', async () => {
    const act = (request) => ask('POST', '/api/ServiceInstances/1/actions', { request });
    isError(await act({ cmd: 'start' }), 500, 'application running, so cannot be started');
    isError(await act({ cmd: 'bogus' }), 500, 'unsupported');
    const set = await act({ cmd: 'env-set', env: { A: 'b' } });
    assert.strictEqual(set.status, 200, set.text);
    const { result, request, serviceInstanceId, timestamp } = (await act({ cmd: 'env-get' })).json;
    assert.deepStrictEqual(result, { env: { A: 'b' } });
    assert.deepStrictEqual(request, { cmd: 'env-get', serviceId: 1, instanceId: 1 });
    assert.strictEqual(serviceInstanceId, 1);
    assert(Date.parse(timestamp) > 0);
    assert.match((await act({ cmd: 'log-dump' })).json.result.log, /listening on port/);
    assert.strictEqual((await act({ cmd: 'current', sub: 'npm-ls' })).json.result.name, 'express4-app');
    assert.strictEqual((await act({ cmd: 'stop' })).status, 200);
    assert.deepStrictEqual(world.workers(await world.view('web')), []);
  });
  await group.check('removing what is not there', async () => {
    assert.deepStrictEqual((await ask('DELETE', '/api/Services/99')).json, { count: 0 });
  });
};
