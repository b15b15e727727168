import { afterEach, expect, test } from 'vitest';
import { BoundClient } from '../support/bound-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let app: TestApp;
afterEach(() => app.close());

test('the proof of a sign-in that was rolled back and tried again is used up', async () => {
  app = await createTestApp();
  const { rows } = await app.database.pool.query(
    "insert into app_user (id, email) values (gen_random_uuid(), 'a@example.com') returning id",
  );
  const { key } = await BoundClient.of(app);
  const dpop = await key.proof('POST', `${app.url}/own`, app.clock.now());
  const request = { method: 'POST', url: '/own', headers: { host: new URL(app.url).host, dpop } };
  const signIn = (from: object, isRolledBack = false) =>
    app.orm.em.fork().transactional(async (em) => {
      await app.auth.sessions.open({ id: rows[0].id }, { client: app.auth.clientOf(from as never), em });
      if (isRolledBack) throw new Error('rolled back');
    });
  await expect(signIn(request, true)).rejects.toThrow('rolled back');
  await signIn(request);
  await expect(signIn({ ...request })).rejects.toMatchObject({ reason: 'proof-replayed' });
  expect(await app.liveSessions()).toBe(1);
});
