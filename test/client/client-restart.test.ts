import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { type DemoProcess, startDemo } from '../browser/demo-process.js';
import { ClientNetwork } from '../support/client-network.js';
import { PASSWORD } from '../support/test-client.js';
import { createTestDatabase } from '../support/test-database.js';

test('a client stays signed in while its server restarts', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-restart-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  let demo: DemoProcess;
  const start = (port: string) =>
    startDemo(directory, { DATABASE_URL: database.url, DEMO_DATA: directory, PORT: port });
  demo = await start('0');
  onTestFinished(() => demo.stop());
  const client = new AuthClient({ url: `${demo.url}/auth`, fetch: new ClientNetwork().fetch });
  await client.register({ email: 'ada@example.com', password: PASSWORD });
  const { state } = client;
  if (state.status !== 'signed-in') return expect.unreachable();
  const states: string[] = [];
  client.subscribe(() => states.push(client.state.status));

  await demo.stop();
  const meanwhile = client.refresh().catch(({ code }) => code);
  demo = await start(new URL(demo.url).port);
  const outcome = await meanwhile; // its last try is after 6 seconds; a slow machine may not be up by then
  expect([client.state, 'network_error']).toContain(outcome);
  expect(await client.refresh()).toMatchObject({ claims: { session: state.claims.session } });
  expect((await client.getUser()).email).toBe('ada@example.com');
  expect(new Set(states)).toEqual(new Set(['signed-in']));
});
