import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOwner, type Owner } from '../support/race.js';
import { startServerProcess } from '../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const SETTINGS = { secretKey: SECRET, development: true, loginRateLimit: 'off' } as const;
const LIST = { ...SETTINGS, accessTokenSessionCheck: 'revocation-list', revocationListFallback: 'fail-open' } as const;

type Server = Awaited<ReturnType<typeof startServerProcess>>;

let app: TestApp;
let servers: [Server, Server];
beforeAll(async () => {
  app = await createTestApp();
  servers = await Promise.all([
    startServerProcess(app.database.appUrl, LIST),
    startServerProcess(app.database.appUrl, LIST),
  ]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await app.close();
});

/** A client of one of the two processes. */
function at(server: Server, { access, refreshToken }: TestClient): TestClient {
  return Object.assign(new TestClient(server.url, 'cookie', 'refresh_token'), { access, refreshToken });
}

const isBelieved = async (client: TestClient) => (await client.get('/whoami')).status === 200;

/** Sends requests without a pause to both processes until it is stopped; returns the statuses. */
function load(owners: readonly Owner[]) {
  const seen = new Set<number>();
  let isRunning = true;
  const loops = owners.flatMap(({ client }) =>
    servers.map(async (server) => {
      while (isRunning) seen.add((await at(server, client).get('/whoami')).status);
    }),
  );
  return async () => {
    isRunning = false;
    await Promise.all(loops);
    return seen;
  };
}

test('100 revocations reach the other process while both are under load, and no other session is refused', async () => {
  const bystanders = await Promise.all(Array.from({ length: 4 }, () => createOwner(app)));
  const stop = load(bystanders);
  const [here, there] = servers;
  for (let round = 0; round < 100; round++) {
    const { client } = await createOwner(app);
    expect(await isBelieved(at(there, client))).toBe(true);
    expect((await at(here, client).logout()).status).toBe(204);
    await until(async () => !(await isBelieved(at(there, client))));
    await until(async () => !(await isBelieved(at(here, client))));
    expect(await isBelieved(at(there, client))).toBe(false);
  }
  expect([...(await stop())]).toEqual([200]);
});

test('a process with a revocation list exits when it has nothing else to do', async () => {
  const main = fileURLToPath(new URL('../../dist/test/support/list-main.js', import.meta.url));
  const child = fork(main, [JSON.stringify({ databaseUrl: app.database.url, settings: LIST })]);
  const [message] = await once(child, 'message');
  child.disconnect();
  const [code, signal] = await once(child, 'exit');
  expect([message, code, signal]).toEqual(['ready', 0, null]);
});
