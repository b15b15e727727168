import { afterAll, beforeAll, expect, test } from 'vitest';
import { totpModule } from '../../src/features/totp/index.js';
import { codesModule, entitiesWith } from '../support/codes.module.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { challengeFor, createFactorOwners, liveSessionsOf, OWN_CODES } from '../support/factor-owners.js';
import { claimsOf } from '../support/race.js';
import { startServerProcess } from '../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { type Answer, TestClient } from '../support/test-client.js';

const ROUNDS = 500;
/** Rounds that run at once. */
const BATCH = 25;

let app: TestApp;
let server: Awaited<ReturnType<typeof startServerProcess>>;
beforeAll(async () => {
  app = await createTestApp({ orm: { entities: entitiesWith(codesModule(), totpModule) } });
  const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development: true };
  server = await startServerProcess(app.database.appUrl, settings, { hasFactors: true });
});
afterAll(async () => {
  await server.stop();
  await app.close();
});

/** Answers a challenge on one of the two processes: this one, or the other server. */
function answer(at: number, challenge: string, code: string): Promise<Answer> {
  const client = new TestClient(at === 0 ? app.url : server.url, 'cookie', 'refresh_token');
  return client.send('POST', '/auth/codes/verify', { challenge, code });
}

test(`two right answers to one challenge open one session, and the other code stays, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round += BATCH) {
    const ids = await createFactorOwners(app, BATCH);
    const challenges = await Promise.all(ids.map((id) => challengeFor(app, id)));
    const pairs = await Promise.all(
      challenges.map((challenge) => Promise.all(OWN_CODES.map((code, at) => answer(at, challenge, code)))),
    );
    const sessions = await liveSessionsOf(app, ids);
    for (const [at, pair] of pairs.entries()) {
      const [right, late] = pair.sort((one, other) => one.status - other.status) as [Answer, Answer];
      expect([right.status, late.status, late.body.code]).toEqual([200, 401, 'challenge_not_valid']);
      expect(late.headers.getSetCookie()).toEqual([]);
      expect(sessions[at]).toEqual([claimsOf(right.body.access).session]);
    }
    const { rows } = await app.database.pool.query('select user_id from test_code where user_id = any($1)', [ids]);
    expect(rows.map(({ user_id }) => user_id).sort()).toEqual([...ids].sort());
  }
  expect((await app.database.pool.query('select 1 from auth_counter where count > 0')).rows).toEqual([]);
});

test('one code for two challenges opens one session', async () => {
  const ids = await createFactorOwners(app, BATCH);
  const pairs = await Promise.all(
    ids.map(async (id) => {
      const challenges = [await challengeFor(app, id), await challengeFor(app, id)];
      return Promise.all(challenges.map((challenge, at) => answer(at, challenge, 'first')));
    }),
  );
  for (const pair of pairs)
    expect(pair.map(({ body }) => body.code ?? 'tokens').sort()).toEqual(['code_wrong', 'tokens']);
  expect((await liveSessionsOf(app, ids)).map((sessions) => sessions.length)).toEqual(Array(BATCH).fill(1));
});
