import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { challengeBy, createPerson, type Person } from '../support/person.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** Seconds and numbers, as in contract §7 and in the module below. */
const LIFETIME = 300;
const TRIES = 5;
const LIMIT = 7;
const WINDOW = 400;

interface ModelUser {
  /** Rises with each change that makes challenges void. */
  version: number;
  isActive: boolean;
  hasFactor: boolean;
  live: number;
  codes: string[];
  usedCode?: string;
  wrong: number;
  resetsAt: number;
}

interface ModelChallenge {
  readonly user: ModelUser;
  readonly version: number;
  readonly expiresAt: number;
  attempts: number;
  isUsed: boolean;
}

type Kind = 'right' | 'wrong' | 'used';

/** The rules of contract §7, without a database or a race. */
class Model {
  readonly users: ModelUser[] = [0, 1].map(() => ({
    version: 0,
    isActive: true,
    hasFactor: false,
    live: 0,
    codes: [],
    wrong: 0,
    resetsAt: 0,
  }));
  readonly challenges: ModelChallenge[] = [];
  now = 0;

  signIn(user: ModelUser): string {
    if (!user.isActive) return 'no_active_account';
    if (!user.hasFactor) {
      user.live++;
      return 'tokens';
    }
    const { version } = user;
    this.challenges.push({ user, version, expiresAt: this.now + LIFETIME, attempts: 0, isUsed: false });
    return 'challenge';
  }

  isValid({ user, version, expiresAt, attempts, isUsed }: ModelChallenge): boolean {
    return !isUsed && attempts < TRIES && this.now < expiresAt && user.isActive && user.version === version;
  }

  answer(challenge: ModelChallenge, kind: Kind): string {
    const { user } = challenge;
    if (!this.isValid(challenge)) return 'challenge_not_valid';
    const isOver = user.resetsAt <= this.now;
    if (!isOver && user.wrong >= LIMIT) return 'too_many_requests';
    // An attempt is counted first, which starts the window of an empty counter.
    if (isOver || user.wrong === 0) user.resetsAt = this.now + WINDOW;
    if (isOver) user.wrong = 0;
    if (kind !== 'right' || user.codes.length === 0) {
      user.wrong++;
      challenge.attempts++;
      return 'code_wrong';
    }
    user.usedCode = user.codes.shift() as string;
    challenge.isUsed = true;
    user.live++;
    return 'tokens';
  }

  /** A change of credentials. */
  change(user: ModelUser, { endsSessions = true, ...change }: Partial<ModelUser> & { endsSessions?: boolean }): void {
    Object.assign(user, change);
    user.version++;
    if (endsSessions) user.live = 0;
  }
}

/** Two servers with one database, their users, and each challenge that was ever issued. */
interface Real {
  readonly servers: readonly TestApp[];
  readonly people: readonly Person[];
  readonly challenges: string[];
}

type Command = fc.AsyncCommand<Model, Real>;

let serial = 0;

async function assertSame(model: Model, { servers, people, challenges }: Real): Promise<void> {
  const app = servers[0] as TestApp;
  const { rows } = await app.database.pool.query(
    `select
      (select array_agg((select count(*)::int from auth_session where user_id = owner and enabled) order by place)
        from unnest($1::uuid[]) with ordinality as person (owner, place)) as live,
      (select array_agg((select count(*)::int from test_code where user_id = owner) order by place)
        from unnest($1::uuid[]) with ordinality as person (owner, place)) as codes,
      (select coalesce(array_agg(attempts order by attempts), '{}') from auth_challenge
        where user_id = any($1)) as attempts,
      (select coalesce(array_agg(count order by count), '{}') from auth_counter
        where resets_at > $2 and count > 0) as wrong`,
    [people.map(({ id }) => id), new Date(app.clock.now())],
  );
  const wrong = model.users.filter((user) => user.resetsAt > model.now && user.wrong > 0).map((user) => user.wrong);
  expect(challenges).toHaveLength(model.challenges.length);
  expect(rows[0]).toEqual({
    live: model.users.map(({ live }) => live),
    codes: model.users.map(({ codes }) => codes.length),
    attempts: model.challenges
      .filter(({ isUsed }) => !isUsed)
      .map(({ attempts }) => attempts)
      .sort(),
    wrong: wrong.sort(),
  });
}

/** A step with one user, on one of the servers. */
function step(
  name: string,
  { who, on }: { who: number; on: number },
  run: (user: ModelUser, real: { app: TestApp; person: Person; challenges: string[] }, model: Model) => Promise<void>,
): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      const own = { app: real.servers[on] as TestApp, person: real.people[who] as Person, challenges: real.challenges };
      await run(model.users[who] as ModelUser, own, model);
      await assertSame(model, real);
    },
    toString: () => `${name}(user ${who}, server ${on})`,
  };
}

/** The outcome of some work: `tokens`, or the code of the error. */
const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'tokens',
    (error: { code?: string }) => error.code ?? String(error),
  );

function answerStep(at: number, kind: Kind, on: number): Command {
  return {
    check: (model) => model.challenges.length > 0,
    run: async (model, real) => {
      const index = Math.max(0, model.challenges.length - 1 - at);
      const challenge = model.challenges[index] as ModelChallenge;
      const { codes, usedCode = 'none' } = challenge.user;
      const code = { right: codes[0] ?? 'none', used: usedCode, wrong: 'wrong' }[kind];
      const { kernel, proof } = withProof(real.servers[on] as TestApp);
      const answered = kernel.signIn.answer(real.challenges[index] as string, proof(code), {});
      expect(await outcomeOf(answered)).toBe(model.answer(challenge, kind));
      await assertSame(model, real);
    },
    toString: () => `answer(${at} from the end, ${kind}, server ${on})`,
  };
}

function withProof({ auth }: TestApp) {
  const codes = codesOf(auth);
  return { kernel: codes.kernel, proof: (code: string) => codes.proof(code) };
}

const place = fc.record({ who: fc.nat(1), on: fc.nat(1) });

const giveCodes = (at: { who: number; on: number }) =>
  step('set the factor up', at, async (user, { app, person }, model) => {
    const codes = Array.from({ length: 3 }, () => `code ${++serial}`);
    // `code 9` comes after `code 10` for the database, which does not matter: each is used by its name.
    await codesOf(app.auth).give(person.id, codes);
    model.change(user, { hasFactor: true, codes: [...user.codes, ...codes], endsSessions: false });
  });

const commands = [
  ...[0, 1].map(() =>
    place.map((at) =>
      step('sign in', at, async (user, { app, person: { id }, challenges }, model) => {
        const signIn = () => app.auth.signIn({ id }, { method: 'ticket' });
        const expected = model.signIn(user);
        if (expected === 'challenge') challenges.push(await challengeBy(signIn));
        else expect(await outcomeOf(signIn())).toBe(expected);
      }),
    ),
  ),
  ...[0, 1, 2].map(() =>
    fc
      .record({ at: fc.nat(3), kind: fc.constantFrom<Kind>('right', 'wrong', 'wrong', 'wrong', 'used'), on: fc.nat(1) })
      .map(({ at, kind, on }) => answerStep(at, kind, on)),
  ),
  place.map(giveCodes),
  place.map((at) =>
    step('remove the factor', at, async (user, { app, person }, model) => {
      await codesOf(app.auth).remove(person.id);
      model.change(user, { hasFactor: false, codes: [] });
    }),
  ),
  place.map((at) =>
    step('change the password', at, async (user, { app, person: { id } }, model) => {
      const { database, users, accounts, sessions } = codesOf(app.auth).kernel;
      if (!user.isActive) return;
      await database.transaction(async (em) => {
        expect(await users.setPassword(id, `hash ${++serial}`, em)).toBe(true);
        await accounts.recordCredentialChange(id, em);
        await sessions.revokeAll(id, { em });
      });
      model.change(user, {});
    }),
  ),
  place.map((at) =>
    step('change the address', at, async (user, { app, person: { id } }, model) => {
      const values = [id, `${++serial}@example.com`];
      await app.database.pool.query('update app_user set email = $2 where id = $1', values);
      model.change(user, { endsSessions: false });
    }),
  ),
  place.map((at) =>
    step('deactivate', at, async (user, { app, person: { id } }, model) => {
      await app.auth.deactivation.deactivate(id);
      model.change(user, { isActive: false });
    }),
  ),
  place.map((at) =>
    step('activate', at, async (user, { app, person: { id } }) => {
      await app.database.pool.query('update app_user set is_active = true where id = $1', [id]);
      user.isActive = true;
    }),
  ),
  fc.constantFrom(1, 99, 100, 299, 300, 399, 400).map(
    (seconds): Command => ({
      check: () => true,
      run: async (model, real) => {
        model.now += seconds;
        for (const { clock } of real.servers) clock.advance(seconds);
        await assertSame(model, real);
      },
      toString: () => `wait(${seconds})`,
    }),
  ),
];

let servers: TestApp[];
beforeAll(async () => {
  const limits = [{ count: LIMIT, seconds: WINDOW, scope: 'account' }] as const;
  const orm = { entities: entitiesWith(codesModule({ limits })) };
  const first = await createTestApp({ orm });
  const second = await createTestApp({ orm, database: first.database });
  second.clock.set(new Date(first.clock.now()));
  servers = [first, second];
});
afterAll(async () => {
  for (const server of [...servers].reverse()) await server.close();
});

test('challenges and counters behave like the model of their rules in every sequence of steps', async () => {
  const outcomes = fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (steps) => {
    const app = servers[0] as TestApp;
    await app.database.pool.query('delete from auth_counter');
    const people = [await createPerson(app), await createPerson(app)];
    const model = new Model();
    const real = { servers, people, challenges: [] };
    // Both users begin with the factor: most steps are about it.
    const setUp = [0, 1].map((who) => giveCodes({ who, on: who }));
    await fc.asyncModelRun(() => ({ model, real }), [...setUp, ...steps]);
  });
  await fc.assert(outcomes, { numRuns: 80 });
});
