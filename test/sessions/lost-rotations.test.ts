import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BoundServer, BoundServers } from '../support/bound-servers.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

describe.each([false, true])('a database that has lost rotations, with an audit log: %s', (auditLog) => {
  let app: TestApp;
  let owner: Owner;
  beforeAll(async () => {
    app = await createTestApp({ settings: { auditLog } });
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    owner = await createOwner(app);
    app.events.length = 0;
    app.log.length = 0;
  });

  const row = async () => (await app.sessions()).find(({ id }) => id === sessionOf(owner.client));

  /** Rotates a number of times, a minute apart, and returns a copy of the client at each generation. */
  async function rotate(times: number): Promise<TestClient[]> {
    const copies = [owner.client.copy()];
    for (let time = 0; time < times; time++) {
      app.clock.advance(60);
      expect((await owner.client.refresh()).status).toBe(200);
      copies.push(owner.client.copy());
    }
    return copies;
  }

  /** Sets the session's row back to an earlier state, like a failover to a standby that lags. */
  async function restore(stored: Awaited<ReturnType<typeof row>>): Promise<void> {
    const columns = Object.keys(stored ?? {}).filter((column) => column !== 'id');
    const set = columns.map((column, index) => `${column} = $${index + 2}`).join(', ');
    await app.database.pool.query(`update auth_session set ${set} where id = $1`, [
      stored?.id,
      ...columns.map((column) => stored?.[column as 'jti']),
    ]);
  }

  test('accepts the newer token that it does not know, rotates it, and reports the session as recovered', async () => {
    await rotate(1);
    const stored = await row();
    await rotate(2);
    await restore(stored);
    const [presented, retry] = [owner.client.copy(), owner.client.copy()];
    app.clock.advance(600);
    expect((await owner.client.refresh()).status).toBe(200);
    const { jti, iat } = claimsOf(owner.client.refreshToken);
    expect(await row()).toMatchObject({ enabled: true, jti, previous_jti: claimsOf(presented.refreshToken).jti });
    expect(iat).toBe(app.clock.now() / 1000);
    expect(app.events).toMatchObject([{ reuse: 'recovered', session: stored?.id, user: owner.id }]);
    expect(app.log).toMatchObject([{ level: 'warn', reuse: 'recovered', session: stored?.id }]);
    const sql = `select details from auth_audit_event where session = $1 and event = 'session.reuse-detected'`;
    const { rows } = await app.database.pool.query(sql, [stored?.id]);
    expect(rows).toEqual(auditLog ? [{ details: { reuse: 'recovered' } }] : []);

    app.clock.advance(10); // a lost answer: the token is the parent now
    expect((await retry.refresh()).status).toBe(200);
    expect(claimsOf(retry.refreshToken).jti).toBe(jti);
    expect((await owner.client.refresh()).status).toBe(200);
  });

  test('gives parallel uses of that token one successor', async () => {
    const stored = await row();
    await rotate(1);
    await restore(stored);
    const tabs = Array.from({ length: 8 }, () => owner.client.copy());
    for (const answer of await Promise.all(tabs.map((tab) => tab.refresh()))) expect(answer.status).toBe(200);
    const successors = new Set(tabs.map(({ refreshToken }) => claimsOf(refreshToken).jti));
    expect([...successors]).toEqual([(await row())?.jti]);
    expect(app.events.filter(({ reuse }) => reuse === 'recovered')).toHaveLength(1);
    expect(app.events.filter(({ reuse }) => reuse === 'lost-response')).toHaveLength(7);
  });

  test('detects a thief who has used an older one of the lost tokens, when the owner refreshes', async () => {
    const stored = await row();
    const [, between] = await rotate(2);
    await restore(stored);
    expect((await between?.refresh())?.status).toBe(200);
    expectProblem(await owner.client.refresh(), 401, 'refresh_token_reused');
    expect(app.events.map(({ reuse }) => reuse)).toEqual(['recovered', 'replay']);
    expect(await owner.live()).toBe(0);
  });

  test('treats an older token as a replay before and after the recovery', async () => {
    const [oldest] = await rotate(1);
    const stored = await row();
    await rotate(1);
    await restore(stored);
    app.clock.advance(60);
    expectProblem(await (oldest as TestClient).refresh(), 401, 'refresh_token_reused');
    expect(await owner.live()).toBe(0);
    expectProblem(await owner.client.refresh(), 401, 'token_not_valid'); // the session stays ended
  });

  test('treats a token of the same second as its last rotation as a replay, because it cannot tell the two apart', async () => {
    await rotate(1);
    const stored = await row();
    expect((await owner.client.refresh()).status).toBe(200);
    await restore(stored);
    expectProblem(await owner.client.refresh(), 401, 'refresh_token_reused');
  });

  test('requires a new sign-in if the session that it knows has expired', async () => {
    const stored = await row();
    app.clock.advance(13 * 86_400);
    await rotate(1);
    await restore(stored);
    app.clock.advance(2 * 86_400);
    expectProblem(await owner.client.refresh(), 401, 'token_not_valid');
    expect(await row()).toMatchObject({ jti: stored?.jti });
    expect(app.events).toEqual([]);
  });
});

describe('servers whose clocks differ', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  test('never mistake an older token for a newer one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 2, maxLength: 8 }), async (steps) => {
        const owner = await createOwner(app);
        const copies: TestClient[] = [];
        for (const seconds of steps) {
          app.clock.advance(seconds);
          copies.push(owner.client.copy());
          expect((await owner.client.refresh()).status).toBe(200);
        }
        app.events.length = 0;
        for (const copy of copies.slice(0, -1).reverse()) {
          expect((await copy.refresh()).status).toBe(401);
        }
        expect(app.events.map(({ reuse }) => reuse)).not.toContain('recovered');
        expect(await owner.live()).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

describe('servers of which one is 5 s ahead, after a failover', () => {
  let servers: BoundServers;
  beforeAll(async () => {
    servers = await BoundServers.start({ settings: { refreshReuseGrace: 0 } }, 2);
  });
  afterAll(() => servers.close());

  const query = async (sql: string, values: unknown[]) =>
    (await servers.first.app.database.pool.query(sql, values)).rows[0];

  /** Refreshes on a server whose clock is `ahead` of the others, in seconds. @returns the code of a refusal */
  async function refresh(client: { token: string }, server: number, ahead: number): Promise<string | undefined> {
    const { app } = servers.all[server] as BoundServer;
    app.clock.advance(ahead);
    const answer = await servers.refresh(client.token, undefined, servers.all[server]);
    app.clock.advance(-ahead);
    if (typeof answer === 'string') return answer;
    client.token = answer.refresh;
    return undefined;
  }

  const reuses = () => servers.all.flatMap(({ app }) => app.events.map(({ reuse }) => reuse));

  /** A client of which the database has lost the rotations. @param lost how far ahead the server was at each, in seconds */
  async function failedOver(lost: readonly number[]) {
    const owner = { token: (await servers.open(undefined)).refresh };
    const { session } = claimsOf(owner.token);
    const row = await query('select * from auth_session where id = $1', [session]);
    const tokens = [owner.token];
    for (const ahead of lost) {
      servers.advance(1);
      expect(await refresh(owner, 0, ahead)).toBeUndefined();
      tokens.push(owner.token);
    }
    const back = 'update auth_session set jti = $2, previous_jti = null, rotated_at = $3 where id = $1';
    await query(back, [session, row.jti, row.rotated_at]);
    for (const { app } of servers.all) app.events.length = 0;
    return { owner, tokens, session };
  }

  test('exchange a token that only the server ahead knows once', async () => {
    const { owner } = await failedOver([5]);
    const thief = { ...owner };
    for (let times = 0; times < 2; times++) expect(await refresh(owner, 1, 0)).toBeUndefined();
    expect(reuses()).toEqual(['recovered']);
    expect(await refresh(thief, 1, 0)).toBe('refresh_token_reused');
  });

  test('refuse such a token if the session that the database knows expires before it was made', async () => {
    const { owner, session } = await failedOver([0, 5]);
    await query('update auth_session set expires_at = $2 where id = $1', [session, new Date(servers.now + 2000)]);
    expect(await refresh(owner, 1, 0)).toBe('token_not_valid');
    expect(reuses()).toEqual([]);
  });

  /** Every way in which clocks can be ahead: at the two lost rotations, and later of the owner's and the thief's server. */
  const clocks = [0, 5].flatMap((a) => [0, 5].flatMap((b) => [0, 5].flatMap((c) => [0, 5].map((d) => [a, b, c, d]))));

  test.each([
    ['the token that the database takes for the live one', 0],
    ['the first lost token', 1],
    ['the second lost token', 2],
  ])('let owner and thief not both go on if two rotations were lost and the thief has %s', async (_what, copied) => {
    const rounds = clocks.flatMap((ahead) => [0, 1].flatMap((gap) => [0, 1].map((first) => ({ ahead, gap, first }))));
    for (const round of rounds) {
      const [lost1 = 0, lost2 = 0, ...later] = round.ahead;
      const { owner, tokens, session } = await failedOver([lost1, lost2]);
      const both = [owner, { token: tokens[copied] as string }];
      const answers: (string | undefined)[] = [];
      for (let turn = round.first; !answers.at(-1) && answers.length < 6; turn = 1 - turn) {
        answers.push(await refresh(both[turn] as typeof owner, turn, later[turn] as number));
        servers.advance(round.gap);
      }
      expect(answers.pop(), JSON.stringify(round)).toBe('refresh_token_reused');
      expect(answers.length, JSON.stringify(round)).toBeLessThanOrEqual(2);
      expect(reuses().filter((reuse) => reuse === 'replay')).toHaveLength(1);
      expect(await query('select enabled from auth_session where id = $1', [session])).toEqual({ enabled: false });
    }
  });
});
