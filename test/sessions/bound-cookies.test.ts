import { afterAll, beforeAll, expect, test } from 'vitest';
import { BoundClient } from '../support/bound-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

async function signedUp(): Promise<BoundClient> {
  const client = await BoundClient.of(app);
  expect((await client.register(`${crypto.randomUUID()}@example.com`)).status).toBe(201);
  return client;
}

/** Several refresh cookies in one request, as after a change of path or domain, or if another host has set one. */
const cookiesOf = (...clients: TestClient[]) => ({
  cookie: clients.map(({ refreshToken }) => `refresh_token=${refreshToken}`).join('; '),
});

test('of several refresh cookies, the one that is bound to the key of the proof counts, in any order', async () => {
  for (const other of [await signedUp(), await app.signedUp()]) {
    const client = await signedUp();
    const session = sessionOf(client);
    for (let round = 0; round < 2; round++) {
      const before = { ...(await app.sessions()).find(({ id }) => id === sessionOf(other)) };
      const parent = await client.stolenBy(client.key);
      expect((await client.refresh(cookiesOf(other, client))).status).toBe(200);
      expect(sessionOf(client)).toBe(session);
      expect((await parent.refresh(cookiesOf(parent, other))).status).toBe(200); // its answer was lost
      expect(claimsOf(parent.refreshToken).jti).toBe(claimsOf(client.refreshToken).jti);
      expect((await app.sessions()).find(({ id }) => id === before.id)).toEqual(before);
    }
  }
});

test('without a proof, a cookie that is not bound counts, and one that is bound is refused and ends nothing', async () => {
  const [bound, plain] = [await signedUp(), await app.signedUp()];
  expect((await plain.refresh(cookiesOf(bound, plain))).status).toBe(200);
  const used = await bound.stolenBy();
  await bound.refresh();
  await bound.refresh();
  expectProblem(await plain.refresh(cookiesOf(used, bound)), 401, 'dpop_proof_invalid');
  expect((await bound.refresh()).status).toBe(200);
});
