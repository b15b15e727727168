import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { startServerProcess } from '../support/server-process.js';
import { createTestApp, SECRET } from '../support/test-app.js';
import { type Answer, TestClient } from '../support/test-client.js';

const PARALLEL = 50;

/** Two servers of an app with this grace, and the results of 50 parallel uses of one token. */
async function startServers(refreshReuseGrace: string) {
  const app = await createTestApp();
  const settings = { secretKey: SECRET, development: true, refreshReuseGrace };
  // One with the library's token class, one with a class of the app: different statements rotate them.
  const classes = [{}, { refreshToken: './dist/test/support/users.js#AppRefreshToken' }];
  const servers = await Promise.all(
    classes.map((refreshToken) => startServerProcess(app.database.appUrl, { ...settings, ...refreshToken })),
  );
  return {
    app,
    /** Presents one token 50 times at once, half of them to each process. */
    storm: async ({ client }: Owner): Promise<{ answers: Answer[]; successors: Set<string> }> => {
      const tabs = Array.from({ length: PARALLEL }, (_, tab) => {
        const url = servers[tab % servers.length]?.url ?? '';
        return Object.assign(new TestClient(url, 'cookie', 'refresh_token'), { refreshToken: client.refreshToken });
      });
      const answers = await Promise.all(tabs.map((tab) => tab.refresh()));
      const refreshed = answers.filter(({ status }) => status === 200);
      return { answers, successors: new Set(refreshed.map(({ cookie }) => claimsOf(cookie?.value ?? '').jti)) };
    },
    rowOf: async ({ client }: Owner) => (await app.sessions()).find(({ id }) => id === sessionOf(client)),
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
      await app.close();
    },
  };
}

type Servers = Awaited<ReturnType<typeof startServers>>;

describe('one refresh token on two server processes with a grace', () => {
  let servers: Servers;
  beforeAll(async () => {
    servers = await startServers('10s');
  });
  afterAll(() => servers.stop());

  test(`gives ${PARALLEL} parallel requests one successor, 100 times`, async () => {
    for (let round = 0; round < 100; round++) {
      const owner = await createOwner(servers.app);
      const { answers, successors } = await servers.storm(owner);
      expect(answers.map(({ status }) => status)).toEqual(Array(PARALLEL).fill(200));
      expect([...successors]).toEqual([(await servers.rowOf(owner))?.jti]);
      expect(await owner.live()).toBe(1);
    }
  });
});

describe('one refresh token on two server processes without a grace', () => {
  let servers: Servers;
  beforeAll(async () => {
    servers = await startServers('0s');
  });
  afterAll(() => servers.stop());

  test('gives one request a successor, reports the replay to one, and ends the session, 50 times', async () => {
    for (let round = 0; round < 50; round++) {
      const owner = await createOwner(servers.app);
      const { answers, successors } = await servers.storm(owner);
      const codes = answers.map(({ status, body }) => body.code ?? status).sort();
      const dead = Array(PARALLEL - 2).fill('token_not_valid');
      expect(codes).toEqual([200, 'refresh_token_reused', ...dead]);
      expect(successors.size).toBe(1);
      expect((await servers.rowOf(owner))?.enabled).toBe(false);
    }
  });
});
