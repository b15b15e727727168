import { createHash, randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../../src/database/database.js';
import { entityMetadata } from '../../src/database/table.js';
import { type KeyPurpose, type OneTimeKey, OneTimeKeys } from '../../src/tokens/one-time-keys.js';
import { UserService } from '../../src/users/user.service.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppUser } from '../support/users.js';

const PURPOSES: readonly KeyPurpose[] = [
  'registration',
  'email-verification',
  'email-verified',
  'email-change',
  'password-reset',
  'invitation',
];

/** Seconds of the lifetime of keys, and seconds that pass: some of these sums are equal. */
const LIFETIMES = [10, 60];
const WAITS = [1, 9, 10, 50, 60];

/** Addresses that a user can have, and that keys can be mailed to. */
const ADDRESSES = 3;

interface ModelKey {
  readonly user: number;
  readonly purpose: KeyPurpose;
  readonly address: number;
  readonly expiresAt: number;
}

/**
 * The rules, without a database or a hash: keys have numbers, and are valid for their purpose while they are kept.
 */
class Model {
  now = 0;
  readonly users = [0, 1].map(() => ({ address: 0, isActive: true }));
  /** Every key that was ever created, in its last state. */
  readonly keys: ModelKey[] = [];
  /** Numbers of the keys that were not superseded, claimed or revoked: one of a purpose for a user. */
  readonly kept = new Set<number>();

  /** Stores a key under a number, replacing the one of the same user and purpose. */
  keep(number: number, key: ModelKey): void {
    for (const other of this.kept) {
      const { user, purpose } = this.keys[other] as ModelKey;
      if (user === key.user && purpose === key.purpose) this.kept.delete(other);
    }
    this.keys[number] = key;
    this.kept.add(number);
  }

  find(number: number, purposes: readonly KeyPurpose[]): ModelKey | undefined {
    const key = this.keys[number] as ModelKey;
    const { isActive, address } = this.users[key.user] as Model['users'][number];
    if (!this.kept.has(number) || !purposes.includes(key.purpose) || this.now >= key.expiresAt) return undefined;
    return isActive && (key.purpose === 'email-change' || key.address === address) ? key : undefined;
  }

  claim(number: number, purposes: readonly KeyPurpose[]): ModelKey | undefined {
    const found = this.find(number, purposes);
    if (found) this.kept.delete(number);
    return found;
  }

  revokeAll(user: number): void {
    for (const number of this.kept) if (this.keys[number]?.user === user) this.kept.delete(number);
  }
}

/** Two users in the database, and the keys by their numbers in the model. */
class Real {
  readonly ids: readonly string[] = [randomUUID(), randomUUID()];
  readonly issued: string[] = [];
  /** How often each key was claimed, except for those that were already opened. */
  readonly claims: number[] = [];
  readonly #start: number;

  constructor(
    readonly app: TestApp,
    readonly database: Database,
    readonly keys: OneTimeKeys,
  ) {
    this.#start = app.clock.now();
  }

  addressOf(user: number, address: number): string {
    return `${address}.${this.ids[user]}@example.com`;
  }

  /** What the library should return for a key. */
  expected(key: ModelKey | undefined): OneTimeKey | undefined {
    if (!key) return undefined;
    const { purpose, user, address } = key;
    return { purpose, user: this.ids[user] as string, email: this.addressOf(user, address) };
  }

  async insertUsers(): Promise<void> {
    const em = this.app.orm.em.fork();
    for (const [user, id] of this.ids.entries()) {
      em.persist(Object.assign(new AppUser(), { id, email: this.addressOf(user, 0) }));
    }
    await em.flush();
  }

  update(user: number, set: string, value: unknown): Promise<unknown> {
    return this.app.database.pool.query(`update app_user set ${set} = $2 where id = $1`, [this.ids[user], value]);
  }

  /** Claims a key, and does something with it in the same transaction. */
  async claim(
    number: number,
    purposes: readonly KeyPurpose[],
    use = async (_claimed: OneTimeKey, _em: EntityManager) => {},
  ) {
    const claimed = await this.database.transaction(async (em) => {
      const claimed = await this.keys.claim(this.issued[number] as string, purposes, em);
      if (claimed) await use(claimed, em);
      return claimed;
    });
    if (claimed && claimed.purpose !== 'email-verified') this.claims[number] = (this.claims[number] ?? 0) + 1;
    return claimed;
  }

  /** The rows of both users are exactly the keys that the model keeps. */
  async assertSame(model: Model): Promise<void> {
    const { rows } = await this.app.database.pool.query(
      'select hash, purpose, user_id as user, email, expires_at from auth_one_time_key where user_id = any($1::uuid[])',
      [this.ids],
    );
    const hashOf = (number: number) =>
      createHash('sha256')
        .update(this.issued[number] as string)
        .digest('base64url');
    const kept = [...model.kept].map((number) => {
      const key = model.keys[number] as ModelKey;
      const expiresAt = new Date(this.#start + key.expiresAt * 1000);
      return { hash: hashOf(number), ...this.expected(key), expires_at: expiresAt };
    });
    const byHash = (a: { hash: string }, b: { hash: string }) => a.hash.localeCompare(b.hash);
    expect(rows.sort(byHash)).toEqual(kept.sort(byHash));
  }

  /** Every key that was ever created is valid for exactly what the model says. */
  async assertGoodKeys(model: Model): Promise<void> {
    const found = await Promise.all(this.issued.map((key) => this.keys.find(key, PURPOSES)));
    expect(found).toEqual(model.keys.map((_, number) => this.expected(model.find(number, PURPOSES))));
  }
}

type Command = fc.AsyncCommand<Model, Real>;

/** A step that can happen at any time. */
function step(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      await real.assertSame(model);
    },
    toString: () => name,
  };
}

/** A step with one of the created keys, the latest ones first. */
function keyStep(
  name: string,
  { back, purposes }: { back: number; purposes: readonly KeyPurpose[] },
  run: (model: Model, real: Real, number: number) => Promise<void>,
): Command {
  return {
    ...step(`${name}(${back}, ${purposes.join('+')})`, (model, real) =>
      run(model, real, model.keys.length - 1 - (back % model.keys.length)),
    ),
    check: (model) => model.keys.length > 0,
  };
}

const user = fc.nat(1);
const address = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(ADDRESSES - 1));
const seconds = fc.constantFrom(...LIFETIMES);
const purpose = fc.constantFrom(...PURPOSES.filter((each) => each !== 'email-verified'));
const choice = fc.record({
  back: fc.oneof({ weight: 2, arbitrary: fc.nat(2) }, fc.nat(20)),
  purposes: fc.oneof(
    { weight: 3, arbitrary: fc.constant(PURPOSES) },
    fc.subarray([...PURPOSES]),
    purpose.map((one) => [one]),
  ),
});

/** The results of parallel claims of one key: at most one succeeds. */
async function claimAtOnce(model: Model, real: Real, number: number, purposes: readonly KeyPurpose[], times: number) {
  const claims = await Promise.all(Array.from({ length: times }, () => real.claim(number, purposes)));
  const expected = real.expected(model.claim(number, purposes));
  expect(claims.filter((claimed) => claimed !== undefined)).toEqual(expected ? [expected] : []);
}

const commands = [
  fc.record({ user, purpose, address, seconds }).map(({ seconds, ...key }) =>
    step(`issue(${JSON.stringify(key)}, ${seconds})`, async (model, real) => {
      const id = real.ids[key.user] as string;
      const email = real.addressOf(key.user, key.address).toUpperCase();
      const issued = real.database.transaction((em) => real.keys.issue(key.purpose, id, email, seconds, em));
      model.keep(model.keys.length, { ...key, expiresAt: model.now + seconds });
      real.issued.push(await issued);
    }),
  ),
  choice.map((chosen) =>
    keyStep('claim', chosen, (model, real, number) => claimAtOnce(model, real, number, chosen.purposes, 1)),
  ),
  choice.map((chosen) =>
    keyStep('claim thrice', chosen, (model, real, number) => claimAtOnce(model, real, number, chosen.purposes, 3)),
  ),
  choice.map((chosen) =>
    keyStep('claim in vain', chosen, async (model, real, number) => {
      const expected = model.find(number, chosen.purposes);
      const failing = real.claim(number, chosen.purposes, async (claimed) => {
        expect(claimed).toEqual(real.expected(expected));
        throw new Error('the flow failed');
      });
      if (!expected) expect(await failing).toBeUndefined();
      else await expect(failing).rejects.toThrow('the flow failed');
    }),
  ),
  fc.record({ chosen: choice, seconds }).map(({ chosen, seconds }) =>
    keyStep('confirm', chosen, async (model, real, number) => {
      const key = model.find(number, chosen.purposes);
      if (!key) return;
      const claimed = await real.claim(number, chosen.purposes, async ({ user, email }, em) => {
        const opened = { purpose: 'email-verified', user, email } as const;
        await real.keys.remember(real.issued[number] as string, opened, seconds, em);
      });
      expect(claimed).toEqual(real.expected(model.claim(number, chosen.purposes)));
      model.keep(number, { ...key, purpose: 'email-verified', expiresAt: model.now + seconds });
    }),
  ),
  choice.map((chosen) =>
    keyStep('find', chosen, async (model, real, number) => {
      const found = await real.keys.find(real.issued[number] as string, chosen.purposes);
      expect(found).toEqual(real.expected(model.find(number, chosen.purposes)));
    }),
  ),
  user.map((user) =>
    step(`revoke all of ${user}`, async (model, real) => {
      await real.database.transaction((em) => real.keys.revokeAll(real.ids[user] as string, em));
      model.revokeAll(user);
    }),
  ),
  fc.record({ user, isActive: fc.boolean() }).map(({ user, isActive }) =>
    step(`${isActive ? 'activate' : 'deactivate'} ${user}`, async (model, real) => {
      await real.update(user, 'is_active', isActive);
      (model.users[user] as Model['users'][number]).isActive = isActive;
    }),
  ),
  fc.record({ user, address }).map(({ user, address }) =>
    step(`move ${user} to ${address}`, async (model, real) => {
      await real.update(user, 'email', real.addressOf(user, address));
      (model.users[user] as Model['users'][number]).address = address;
    }),
  ),
  fc.constantFrom(...WAITS).map((seconds) =>
    step(`wait(${seconds})`, async (model, real) => {
      model.now += seconds;
      real.app.clock.advance(seconds);
    }),
  ),
];

describe('the keys of mailed links', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  test('behave like the model of their rules in every sequence of steps, and none is claimed twice', async () => {
    const database = new Database(app.orm);
    const meta = entityMetadata(app.orm.getMetadata(), 'AppUser');
    const keys = new OneTimeKeys({
      database,
      orm: app.orm,
      users: new UserService(database, app.orm, meta as never),
      clock: app.clock,
    });
    const outcomes = { claimed: 0, unclaimed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (steps) => {
        const [model, real] = [new Model(), new Real(app, database, keys)];
        await real.insertUsers();
        await fc.asyncModelRun(() => ({ model, real }), steps);
        await real.assertGoodKeys(model);
        const claims = model.keys.map((_, number) => real.claims[number] ?? 0);
        expect(Math.max(0, ...claims)).toBeLessThanOrEqual(1);
        for (const count of claims) outcomes[count ? 'claimed' : 'unclaimed']++;
      }),
      { numRuns: 300 },
    );
    expect(Math.min(outcomes.claimed, outcomes.unclaimed)).toBeGreaterThan(100);
  });
});
