import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lowestStampAt, stampOf } from '../../src/dpop/proof.js';
import { MAX_PROOFS } from '../../src/sessions/session-statements.js';
import type { SessionStore } from '../../src/sessions/session-store.js';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { claimsOf, createOwner, type Owner } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const NOW = Date.UTC(2026, 0, 1);
const proofs = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  expiresAt: fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }),
});

test('stamps are positive bigints in the order of the expiry of proofs, until the year 2100', () => {
  fc.assert(
    fc.property(proofs, proofs, (a, b) => {
      const [first, second] = [BigInt(stampOf(a)), BigInt(stampOf(b))];
      expect(first).toBeLessThan(2n ** 63n);
      expect(first).toBeGreaterThanOrEqual(0n);
      if (a.expiresAt !== b.expiresAt) expect(first < second).toBe(a.expiresAt < b.expiresAt);
      expect(first >= BigInt(lowestStampAt(a.expiresAt))).toBe(true);
      expect(first < BigInt(lowestStampAt(a.expiresAt + 1))).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test('two proofs with one expiry have one stamp about once in two million pairs', () => {
  const ids = Array.from({ length: 4000 }, () => randomBytes(32).toString('base64url'));
  const stamps = new Set(ids.map((id) => stampOf({ id, expiresAt: NOW })));
  // Of eight million pairs four are expected. The test fails by accident once in a million runs.
  expect(ids.length - stamps.size).toBeLessThan(20);
  expect(stampOf({ id: ids[0] ?? '', expiresAt: NOW })).toBe(stampOf({ id: ids[0] ?? '', expiresAt: NOW }));
});

let app: TestApp;
let store: SessionStore;
beforeAll(async () => {
  app = await createTestApp({ orm: { entities: entitiesWith(codesModule()) } });
  store = codesOf(app.auth).kernel.sessionStore;
});
afterAll(() => app.close());

const THUMBPRINT = 'k'.repeat(43);

/** Offers proofs to the row of a session, in this order and at these instants. @returns which of them it accepts */
async function offer(owner: Owner, arrivals: readonly { id: string; expiresAt: number; at: number }[]) {
  const { session: id, jti: live } = claimsOf(owner.client.refreshToken);
  const accepted: boolean[] = [];
  for (const { at, ...proof } of arrivals) {
    const stamped = { thumbprint: THUMBPRINT, stamp: stampOf(proof), lowest: lowestStampAt(at - 60_000) };
    accepted.push(await store.useProof({ id, user: owner.id, live }, stamped));
  }
  return accepted;
}

test('the row of a session accepts no proof twice, in whatever order proofs come and come again', async () => {
  const minutes = (most: number) => fc.integer({ min: 0, max: most * 60 }).map((seconds) => seconds * 1000);
  const arrival = fc.record({ proof: fc.nat(60), after: fc.nat(4000), behind: minutes(1) });
  const scenario = fc.record({
    ttls: fc.array(fc.oneof(fc.constant(60_000), minutes(5)), { minLength: 61, maxLength: 61 }),
    arrivals: fc.array(arrival, { minLength: 40, maxLength: 120 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ ttls, arrivals }) => {
      const owner = await createOwner(app);
      const made = ttls.map((ttl) => ({ id: randomBytes(32).toString('base64url'), expiresAt: NOW + ttl }));
      let now = NOW;
      const offered = arrivals.flatMap(({ proof, after, behind }) => {
        now += after;
        const { id, expiresAt } = made[proof] as (typeof made)[number];
        // A server whose clock is up to a minute behind still accepts a proof that has expired for another server.
        return expiresAt < now - 60_000 ? [] : [{ id, expiresAt, at: now - behind }];
      });
      const accepted = await offer(owner, offered);
      const used = offered.filter((_, place) => accepted[place]).map(({ id }) => id);
      expect(new Set(used).size).toBe(used.length);
      const [row] = (await app.database.pool.query('select proofs from auth_session where user_id = $1', [owner.id]))
        .rows as [{ proofs: string[] | null }];
      const kept = (row.proofs ?? []).map(BigInt);
      expect(kept.length).toBeLessThanOrEqual(MAX_PROOFS);
      expect(kept).toEqual(kept.toSorted((a, b) => (a < b ? 1 : -1)));
    }),
    { numRuns: 40 },
  );
});

test('the row of a session accepts proofs by one key only, whatever was checked before', async () => {
  const owner = await createOwner(app);
  const { session: id, jti: live } = claimsOf(owner.client.refreshToken);
  const use = (thumbprint: string, at: number) => {
    const stamp = stampOf({ id: randomBytes(32).toString('base64url'), expiresAt: at });
    return store.useProof({ id, user: owner.id, live }, { thumbprint, stamp, lowest: lowestStampAt(NOW) });
  };
  expect(await use(THUMBPRINT, NOW + 1)).toBe(true);
  const row = async () => (await app.sessions()).find((session) => session.id === id);
  const before = await row();
  expect(before).toMatchObject({ key_thumbprint: THUMBPRINT });
  expect(await use('o'.repeat(43), NOW + 2)).toBe(false);
  expect(await row()).toEqual(before);
  expect(await use(THUMBPRINT, NOW + 3)).toBe(true);
});

test('the row of a session accepts each new proof of an honest client, which come one after the other', async () => {
  const owner = await createOwner(app);
  const arrivals = Array.from({ length: 100 }, (_, place) => {
    const at = NOW + place * 1000;
    return { id: randomBytes(32).toString('base64url'), expiresAt: at + 60_000, at };
  });
  expect(await offer(owner, arrivals)).toEqual(Array(100).fill(true));
});
