import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** Runs once, between the reading of a session and the creation of its next tokens. */
let meanwhile: (() => Promise<unknown>) | undefined;

class SlowToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    const once = meanwhile;
    meanwhile = undefined;
    await once?.();
    return super.forUser(user, options);
  }
}

let app: TestApp;
let owner: Owner;
let user: string;
beforeAll(async () => {
  app = await createTestApp({ settings: { refreshToken: SlowToken } });
});
beforeEach(async () => {
  owner = await createOwner(app);
  user = claimsOf(owner.client.refreshToken).sub;
});
afterAll(() => app.close());

const query = (sql: string) => app.database.pool.query(sql, [user]);

/** Each way to end a session while its refresh is running. */
const endings: [what: string, end: () => Promise<unknown>][] = [
  ['its revocation', () => app.auth.sessions.revoke({ session: sessionOf(owner.client), sub: user })],
  ['the revocation of all', () => app.auth.sessions.revokeAll(user)],
  ['a deactivation', () => app.auth.deactivation.deactivate(user)],
  ['a deactivation by SQL', () => query('update app_user set is_active = false where id = $1')],
  ['a deletion', () => query('delete from app_user where id = $1')],
  ['a sign-out', () => owner.client.copy().logout()],
  ['its expiry', async () => app.clock.advance('14d')],
];

describe('a refresh', () => {
  test.each(endings)('returns no tokens if %s comes in between, and the session stays ended', async (_what, end) => {
    meanwhile = end;
    const answer = await owner.client.refresh();
    expectProblem(answer, 401, 'token_not_valid');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await owner.live()).toBe(0);
    expectProblem(await owner.client.refresh(), 401, 'token_not_valid');
  });

  test('gets the same successor if another refresh comes in between, and that is no theft', async () => {
    const events = app.events.length;
    const tab = owner.client.copy();
    meanwhile = async () => expect((await tab.refresh()).status).toBe(200);
    expect((await owner.client.refresh()).status).toBe(200);
    expect(owner.client.refreshToken).toBe(tab.refreshToken);
    expect(app.events.slice(events).map(({ reuse }) => reuse)).toEqual(['lost-response']);
  });
});
