import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BoundServer, BoundServers, type Outcome } from '../support/bound-servers.js';
import { BoundSessionClient } from '../support/bound-session-client.js';
import { claimsOf } from '../support/race.js';

const [OWNER, THIEF] = ['owner', 'thief'].map((name) => name.padEnd(43, '-')) as [string, string];
const STEPS = 6;

let servers: BoundServers;
beforeAll(async () => {
  servers = await BoundServers.start({ settings: { refreshTokenLifetime: '400d', sessionLifetime: '400d' } });
});
afterAll(() => servers.close());

/** A client of a new session, which is bound at once or at its first refresh. */
async function opened(isBound: boolean): Promise<BoundSessionClient> {
  return new BoundSessionClient(servers, (await servers.open(isBound ? OWNER : undefined)).refresh, OWNER);
}

type Step = 'refresh' | 'killed' | 'theft';

/** What a thief tries: a token alone, with a proof by another key, and with a proof that the owner has used. */
async function steal({ stored, tokens, proofs }: BoundSessionClient): Promise<void> {
  const bound = tokens.filter((token) => claimsOf(token).cnf);
  const [oldest = stored, older = stored, used] = [bound[0], bound.at(-2), proofs.at(-1)];
  for (const [token, proof] of [[stored], [older, servers.proofBy(THIEF)], [stored, used], [oldest, used]] as const)
    expect(await servers.refresh(token, proof)).toBe('dpop_proof_invalid');
}

/**
 * Plays every order of steps of owner and thief up to a length, each from the state that the steps before it left. A
 * theft changes nothing, so that a second one directly after it is left out.
 */
async function playAll(client: BoundSessionClient, order: readonly Step[], played: string[]): Promise<void> {
  if (order.length === STEPS) return;
  const start = { ...client.state, row: await client.row() };
  const live = claimsOf(client.tokens.at(-1) as string).jti;
  expect(start.row, order.join()).toMatchObject({ jti: live, key_thumbprint: OWNER, enabled: true });
  for (const step of ['refresh', 'killed', 'theft'] as const) {
    if (step === 'theft' && order.at(-1) === 'theft') continue;
    const next = [...order, step];
    played.push(next.join());
    if (step === 'theft') {
      await steal(client);
      expect(await client.row(), next.join()).toEqual(start.row);
    } else {
      expect(await client.refresh(step === 'killed'), next.join()).toHaveProperty('access');
    }
    await playAll(client, next, played);
    if (step !== 'theft') await client.goBack(start);
  }
}

test('in every order of six steps a thief without the key gets no token and changes nothing, and the owner stays', async () => {
  const client = await opened(true);
  const played: string[] = [];
  await playAll(client, [], played);
  expect(new Set(played).size).toBe(3 + 8 + 22 + 60 + 164 + 448);
});

/** A refresh by the owner, some time after the last one. */
interface Visit {
  readonly server: number;
  readonly isKilled: boolean;
  readonly isStolen: boolean;
  readonly seconds: number;
}

const visit: fc.Arbitrary<Visit> = fc.record({
  server: fc.nat(4),
  isKilled: fc.boolean(),
  isStolen: fc.boolean(),
  seconds: fc.constantFrom(0, 1, 11, 61, 3600, 86_400, 30 * 86_400),
});

test('an owner with the key is signed in after any lost answers, waits, thefts and changes of DPOP', async () => {
  const visits = fc.array(visit, { minLength: 4, maxLength: 12 });
  const play = async (visits: readonly Visit[], isBound: boolean) => {
    const client = await opened(isBound);
    if (!isBound) expect(await client.refresh(visits[0]?.isKilled)).toHaveProperty('access'); // binds it
    for (const { server, isKilled, isStolen, seconds } of visits) {
      servers.advance(seconds);
      if (isStolen && claimsOf(client.stored).cnf) await steal(client);
      const at = servers.all[server] as BoundServer;
      const answer = await client.refresh(isKilled, at);
      expect(answer, at.name).toHaveProperty('access');
      expect(claimsOf((answer as Exclude<Outcome, string>).access).cnf).toEqual({ jkt: OWNER });
      expect(await client.row()).toMatchObject({ enabled: true, jti: claimsOf(client.tokens.at(-1) as string).jti });
    }
  };
  await fc.assert(fc.asyncProperty(visits, fc.boolean(), play), { numRuns: 15 });
});

test('an older state of the owner, token and key, goes on with the parent and ends the session with an older token', async () => {
  for (const rounds of [1, 2]) {
    const phone = await opened(true);
    const backup = phone.stored;
    for (let round = 0; round < rounds; round++) await phone.refresh();
    servers.advance(30 * 86_400);
    const live = phone.stored;
    phone.stored = backup;
    const answer = await phone.refresh();
    if (rounds === 1) expect(answer).toMatchObject({ refresh: live });
    else expect(answer).toBe('refresh_token_reused');
    expect(await phone.row()).toMatchObject({ enabled: rounds === 1 });
  }
});

test('a thief with one proof that the owner has not used gets what the owner gets, once, and never a second answer', async () => {
  const owner = await opened(true);
  const [copied, unused] = [owner.stored, servers.proofBy(OWNER)];
  const stolen = await servers.refresh(copied, unused);
  if (typeof stolen === 'string') throw new Error(stolen);
  for (const token of [copied, stolen.refresh]) {
    for (const proof of [undefined, unused, servers.proofBy(THIEF)])
      expect(await servers.refresh(token, proof)).toBe('dpop_proof_invalid');
  }
  servers.advance(7 * 86_400);
  expect(await owner.refresh()).toMatchObject({ refresh: stolen.refresh });
  expect(await owner.refresh()).toHaveProperty('access');
  expect(await owner.row()).toMatchObject({ enabled: true, key_thumbprint: OWNER });
});

describe('a thief with a token from before the binding', () => {
  test('gets no token once the owner has bound the session, in any order, and ends the session after the grace', async () => {
    for (let rounds = 1; rounds <= 3; rounds++) {
      for (const seconds of [0, 10, 11, 86_400]) {
        for (const proof of [undefined, servers.proofBy(THIEF)]) {
          const owner = await opened(false);
          const copied = owner.stored;
          for (let round = 0; round < rounds; round++) await owner.refresh();
          servers.advance(seconds);
          const isReplay = rounds > 1 || seconds > 10;
          const code = isReplay ? 'refresh_token_reused' : 'dpop_proof_invalid';
          expect(await servers.refresh(copied, proof && servers.proofBy(THIEF)), `${rounds}, ${seconds}`).toBe(code);
          expect(await owner.row()).toMatchObject({ enabled: !isReplay, key_thumbprint: OWNER });
        }
      }
    }
  });

  test('who is first and binds the session to another key is found when the owner refreshes after the grace', async () => {
    for (const isOwnerBinding of [true, false]) {
      const owner = await opened(false);
      const copied = owner.stored;
      const stolen = await servers.refresh(copied, servers.proofBy(THIEF));
      if (typeof stolen === 'string') throw new Error(stolen);
      const refresh = () => servers.refresh(copied, isOwnerBinding ? servers.proofBy(OWNER) : undefined);
      expect(await refresh()).toBe('dpop_proof_invalid');
      servers.advance(11);
      expect(await refresh()).toBe('refresh_token_reused');
      expect(await owner.row()).toMatchObject({ enabled: false });
      expect(await servers.refresh(stolen.refresh, servers.proofBy(THIEF))).toBe('token_not_valid');
    }
  });

  test('who binds a session of a restored database is found when the owner refreshes', async () => {
    const owner = await opened(false);
    const copied = owner.stored;
    const row = await owner.row();
    servers.advance(60);
    await owner.refresh();
    await owner.refresh();
    await owner.goBack({ ...owner.state, row });
    const sql = 'update auth_session set key_thumbprint = null where id = $1';
    await servers.first.app.database.pool.query(sql, [owner.session]);
    const stolen = await servers.refresh(copied, servers.proofBy(THIEF));
    if (typeof stolen === 'string') throw new Error(stolen);
    expect(await owner.refresh()).toBe('refresh_token_reused');
    expect(await servers.refresh(stolen.refresh, servers.proofBy(THIEF))).toBe('token_not_valid');
  });
});

test('the owner of a lost binding keeps the session if DPOP is switched off before the retry', async () => {
  const owner = await opened(false);
  const copied = owner.stored;
  await owner.refresh();
  servers.advance(86_400);
  for (const server of servers.all.filter(({ dpop }) => dpop === 'off')) {
    const answer = await servers.refresh(copied, servers.proofBy(OWNER), server);
    expect(answer, server.name).toMatchObject({ refresh: owner.stored });
  }
  expect(await owner.refresh()).toHaveProperty('access');
});
