import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuthEventMap } from '../../src/index.js';
import { BoundClient } from '../support/bound-client.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, createOwner, type Owner } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const at = (ip: string) => ({ 'x-forwarded-for': ip, 'user-agent': 'Firefox' });
const HOME = at('192.0.2.7');
const ELSEWHERE = at('198.51.100.9');

let app: TestApp;
let owner: Owner;
let refused: AuthEventMap['session.binding-refused'][];
beforeAll(async () => {
  app = await createTestApp({ express: 5, configure: (server) => server.set('trust proxy', 1) });
  app.auth.events.on('session.binding-refused', (event) => refused.push(event));
});
afterAll(() => app.close());
beforeEach(async () => {
  owner = await createOwner(app);
  app.events.length = 0;
  refused = [];
});

/** A client with a key of its own and a copy of the owner's token, which is not bound. */
const copied = async () => Object.assign(await BoundClient.of(app), { refreshToken: owner.client.refreshToken });
const reuses = () => app.events.map(({ reuse }) => reuse);

test('a thief who binds a session just before its owner refreshes elsewhere is found at once', async () => {
  const thief = await copied();
  expect((await thief.refresh(ELSEWHERE)).status).toBe(200);
  expect(claimsOf(thief.refreshToken).cnf).toEqual({ jkt: thief.key.thumbprint });
  expectProblem(await owner.client.refresh(HOME), 401, 'refresh_token_reused');
  expect(reuses()).toEqual(['replay']);
  expect(refused).toEqual([]);
  expect(await owner.live()).toBe(0);
  expectProblem(await thief.refresh(ELSEWHERE), 401, 'token_not_valid');
});

describe('a session that its owner has just bound', () => {
  let tab: BoundClient;
  let parent: string;
  beforeEach(async () => {
    tab = await copied();
    parent = tab.refreshToken;
    expect((await tab.refresh(HOME)).status).toBe(200);
  });

  test('stays when another tab, of an older version of the app, refreshes without a proof', async () => {
    app.clock.advance(9);
    expectProblem(await owner.client.refresh(HOME), 401, 'dpop_proof_invalid');
    expect(refused.map(({ reason }) => reason)).toEqual(['proof-missing']);
    expect((await tab.refresh(HOME)).status).toBe(200);
    expect(reuses()).toEqual([]);
  });

  test('stays when the answer is lost: the key gets the same tokens after a day, from any network', async () => {
    app.clock.advance('1d');
    const { jti } = claimsOf(tab.refreshToken);
    tab.refreshToken = parent;
    expect((await tab.refresh(ELSEWHERE)).status).toBe(200);
    expect(claimsOf(tab.refreshToken).jti).toBe(jti);
    expect((await tab.refresh(HOME)).status).toBe(200);
    expect(reuses()).toEqual(['lost-response']);
    expect(refused).toEqual([]);
  });
});
