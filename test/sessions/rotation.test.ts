import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

describe('rotation', () => {
  let app: TestApp;
  let owner: Owner;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    owner = await createOwner(app);
    app.log.length = 0;
    app.events.length = 0;
  });

  const row = async () => (await app.sessions()).find(({ id }) => id === sessionOf(owner.client));

  test('a refresh consumes the token and returns one successor of the same session, in the same row', async () => {
    const { client } = owner;
    const before = claimsOf(client.refreshToken);
    app.clock.advance(60);
    const answer = await client.refresh();
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['access']);
    const after = claimsOf(client.refreshToken);
    expect(after).toMatchObject({ session: before.session, session_iat: before.session_iat, sub: owner.id });
    expect(after.jti).not.toBe(before.jti);
    expect(after.iat).toBe(before.iat + 60);
    expect(await row()).toMatchObject({ jti: after.jti, previous_jti: before.jti, enabled: true });
    expect(claimsOf(client.access).jti).not.toBe(after.jti);
    expect(app.events).toEqual([]);
  });

  test('the immediate parent gets the same successor within the grace, and the row does not change', async () => {
    const late = owner.client.copy();
    await owner.client.refresh();
    const stored = await row();
    app.clock.advance(10);
    const answer = await late.refresh();
    expect(answer.status).toBe(200);
    expect(claimsOf(late.refreshToken)).toEqual(claimsOf(owner.client.refreshToken));
    expect(await row()).toEqual(stored);
    expect(app.events).toMatchObject([{ reuse: 'lost-response', session: sessionOf(owner.client), user: owner.id }]);
    expect(app.log).toMatchObject([{ level: 'info', reuse: 'lost-response' }]);
  });

  test('the grace counts from the rotation: using the parent again never extends it', async () => {
    const parent = owner.client.copy();
    await owner.client.refresh();
    app.clock.advance(6);
    expect((await parent.copy().refresh()).status).toBe(200);
    app.clock.advance(6);
    const answer = await parent.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(await owner.live()).toBe(0);
  });

  test('a replay ends the whole session, is reported once, and leaves the other sessions of the user alone', async () => {
    const other = await owner.another();
    const thief = owner.client.copy();
    await owner.client.refresh();
    app.clock.advance(11);
    const answer = await thief.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(answer.cookie).toBeUndefined();
    expect(app.events).toMatchObject([{ reuse: 'replay', session: sessionOf(thief), user: owner.id }]);
    expect(app.log).toMatchObject([{ level: 'warn', reuse: 'replay', session: sessionOf(thief) }]);
    const dead = await owner.client.refresh();
    expect([dead.status, dead.body.code]).toEqual([401, 'token_not_valid']);
    expect(app.events[1]).toMatchObject({ reuse: 'revoked-session' });
    expect(app.log.slice(1)).toMatchObject([{ level: 'info', reuse: 'revoked-session' }]); // no second theft
    expect((await other.refresh()).status).toBe(200);
  });

  test('the grace never applies to an older generation, however soon', async () => {
    const grandparent = owner.client.copy();
    await owner.client.refresh();
    await owner.client.refresh();
    const answer = await grandparent.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(await owner.live()).toBe(0);
  });

  test('a token of a session without a row is an unknown session, and nothing is revoked', async () => {
    const other = await owner.another();
    await app.database.pool.query('delete from auth_session where id = $1', [sessionOf(owner.client)]);
    const answer = await owner.client.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'token_not_valid']);
    expect(app.events).toMatchObject([{ reuse: 'unknown-session' }]);
    expect(app.log).toMatchObject([{ level: 'warn', reuse: 'unknown-session' }]);
    expect((await other.refresh()).status).toBe(200);
  });

  test('deleting a user deletes the sessions', async () => {
    await app.database.pool.query('delete from app_user where id = $1', [owner.id]);
    expect(await row()).toBeUndefined();
    expect((await owner.client.refresh()).body.code).toBe('token_not_valid');
    expect(app.events).toMatchObject([{ reuse: 'unknown-session' }]);
  });
});

describe('rotation without a grace', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshReuseGrace: '0s' } });
  });
  afterAll(() => app.close());

  test('the parent is a replay even in the same millisecond', async () => {
    const { client, live } = await createOwner(app);
    const parent = client.copy();
    await client.refresh();
    const answer = await parent.refresh();
    expect([answer.status, answer.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(await live()).toBe(0);
  });
});
