import type { EntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuthHooks } from '../../src/index.js';
import { type AuthModule, authError } from '../../src/module-kit.js';
import { codesModule, codesOf, entitiesWith, unusedModule } from '../support/codes.module.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp } from '../support/mail-app.js';
import { challengeBy, challengeOf, createPerson, type Person } from '../support/person.js';
import { claimsOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { expectUnavailable } from '../support/unavailable.js';

const CODES = ['first', 'second', 'third'];
const WINDOW_SECONDS = 900;

/** What a test does in the middle of a sign-in. Reset before each test. */
let hook: NonNullable<AuthHooks['beforeSignIn']> = async () => {};
let gate: () => Promise<void> = async () => {};
let afterCheck: (em: EntityManager) => Promise<void> = async () => {};
let atChallenge: (user: string) => Promise<void> = async () => {};
const refuse = async () => {
  throw authError('permission_denied');
};

const setHook = (decision: () => Promise<void>) => {
  hook = decision;
};
const setGate = (decision: () => Promise<void>) => {
  gate = decision;
};

const gated: AuthModule = { name: 'gated', create: () => ({ gates: [{ check: async () => gate() }] }) };
const codes = (isRequired = false) =>
  codesModule({ isRequired, afterCheck: (em) => afterCheck(em), atChallenge: (user) => atChallenge(user) });
const options = (isRequired = false) => ({
  orm: { entities: entitiesWith(codes(isRequired), unusedModule, gated) },
  auth: { hooks: { beforeSignIn: (attempt: Parameters<typeof hook>[0]) => hook(attempt) } },
});

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp(options());
});
afterAll(() => app.close());
beforeEach(() => {
  hook = async () => {};
  gate = async () => {};
  afterCheck = async () => {};
  atChallenge = async () => {};
});

const query = async (sql: string, values: unknown[] = []) => (await app.database.pool.query(sql, values)).rows;
const left = async (id: string) =>
  (await query('select code from test_code where user_id = $1 order by code', [id])).map(({ code }) => code);

/** A user with the second factor. */
async function owner(): Promise<Person> {
  const person = await createPerson(app);
  await codesOf(app.auth).give(person.id, CODES);
  return person;
}

function verify(challenge: string, code: string, client: TestClient = app.client(), method?: string) {
  return client.send('POST', '/auth/codes/verify', { challenge, code, method }, client.cookieHeader);
}

/** Everything about a user that an answer could use up. */
const stateOf = async ({ id, live, challenges }: Person) => ({
  live: await live(),
  challenges: await challenges(),
  codes: await left(id),
  // A counter that was counted and released stays, with 0.
  counters: await query('select key, count from auth_counter where count > 0 order by key'),
});

describe('a sign-in of a user with a second factor', () => {
  test('is answered with a challenge only: no cookie, no session, and a row that does not contain the challenge', async () => {
    const { email, live, challenges } = await owner();
    const answer = await app.client().login(email);
    expect([answer.status, answer.body]).toEqual([
      401,
      {
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        code: 'second_factor_required',
        detail: 'A second factor is required; answer the challenge.',
        challenge: expect.stringMatching(/^[\w-]{43}$/),
        methods: ['codes', 'codes_backup'],
        expires_in: 300,
      },
    ]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await live()).toEqual([]);
    expect(await challenges()).toEqual([{ hash: expect.any(String), attempts: 0 }]);
    const [row] = await query('select * from auth_challenge where hash = $1', [(await challenges())[0]?.hash]);
    expect(JSON.stringify(row)).not.toContain(answer.body.challenge);
  });

  test('ends with a session after the right answer, which uses the challenge and the code up', async () => {
    const person = await owner();
    const challenge = await person.login();
    const client = app.client();
    const answer = await verify(challenge, 'first', client);
    expect([answer.status, Object.keys(answer.body)]).toEqual([200, ['access']]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(claimsOf(answer.body.access)).toMatchObject({ sub: person.id, amr: ['pwd', 'otp', 'mfa'] });
    expect(await person.live()).toEqual([claimsOf(answer.body.access).session]);
    expect([await person.challenges(), await left(person.id)]).toEqual([[], ['second', 'third']]);
    expectProblem(await verify(challenge, 'second'), 401, 'challenge_not_valid');
    expectProblem(await verify(await person.login(), 'first'), 400, 'code_wrong');
    expect(await person.live()).toHaveLength(1);
  });

  test('keeps the claims and amr of its first step, and has the time of its second step as auth_time', async () => {
    const { id } = await owner();
    const signIn = () => app.auth.signIn({ id }, { method: ['ticket', 'otp'], claims: { tenant: 'acme' } });
    const challenge = await challengeBy(signIn);
    app.clock.advance(100);
    const client = app.client();
    const { body, cookie } = await verify(challenge, 'first', client);
    Object.assign(client, { refreshToken: cookie?.value });
    const worth = { amr: ['ticket', 'otp', 'mfa'], auth_time: app.clock.now() / 1000, tenant: 'acme' };
    expect(claimsOf(body.access)).toMatchObject(worth);
    app.clock.advance(100);
    expect((await client.refresh()).status).toBe(200);
    expect(claimsOf(client.access)).toMatchObject(worth);
    const { tenant, ...others } = claimsOf(
      (await verify(await challengeBy(() => app.auth.signIn({ id }, { method: 'x' })), 'second')).body.access,
    );
    expect([tenant, others.amr]).toEqual([undefined, ['x', 'otp', 'mfa']]);
  });

  test.each([
    ['a challenge', 'second_factor_required'],
    ['a session', undefined],
  ])(
    'in a transaction of the app that has changed the user fails without that transaction, because it waits for it: %s',
    async (_, code) => {
      const limited = await createTestApp({ orm: { ...options().orm, driverOptions: { statement_timeout: 300 } } });
      const { id } = await createPerson(limited);
      if (code) await codesOf(limited.auth).give(id, CODES);
      const signIn = (isGiven: boolean) =>
        limited.orm.em.fork().transactional(async (em) => {
          await em.execute('update app_user set first_name = ? where id = ?', ['Ada', id]);
          return limited.auth.signIn({ id }, { method: 'ticket', ...(isGiven && { em }) });
        });
      await expect(signIn(false)).rejects.toMatchObject({ code: 'service_unavailable' });
      const signedIn = signIn(true);
      if (code) await expect(signedIn).rejects.toMatchObject({ code });
      else expect(await signedIn).toMatchObject({ access: expect.any(String) });
      await limited.close();
    },
  );

  test('revokes the session of the cookie that it replaces only at its second step', async () => {
    const { id, email, live } = await createPerson(app);
    const browser = app.client();
    await browser.login(email);
    const before = await live();
    await codesOf(app.auth).give(id, CODES);
    const challenge = challengeOf(await browser.login(email, PASSWORD, browser.cookieHeader));
    expectProblem(await verify(challenge, 'wrong', browser), 400, 'code_wrong');
    expect(await live()).toEqual(before);
    const { cookie } = await verify(challenge, 'first', browser);
    expect(await live()).toEqual([claimsOf(cookie?.value ?? '').session]);
    expect(await live()).not.toEqual(before);
  });

  test('can be continued on another server with the same database', async () => {
    const other = await createTestApp({ ...options(), database: app.database });
    other.clock.set(new Date(app.clock.now()));
    const { login, live } = await owner();
    const challenge = await login();
    expectProblem(await verify(challenge, 'wrong', other.client()), 400, 'code_wrong');
    expect((await verify(challenge, 'first', other.client())).status).toBe(200);
    expectProblem(await verify(challenge, 'second'), 401, 'challenge_not_valid');
    expect(await live()).toHaveLength(1);
    await other.close();
  });

  test('of a user who is deleted meanwhile is refused like a wrong password', async () => {
    const { email } = await owner();
    atChallenge = async (id) => void (await query('delete from app_user where id = $1', [id]));
    expectProblem(await app.client().login(email), 401, 'incorrect_credentials');
  });

  test('that a hook or a gate refuses gets that error, without a challenge', async () => {
    const { email, challenges } = await owner();
    for (const decide of [setHook, setGate]) {
      decide(refuse);
      expectProblem(await app.client().login(email), 403, 'permission_denied');
      decide(async () => {});
    }
    expect(await challenges()).toEqual([]);
  });

  test('needs no second factor if the user has none, or only one that the app does not ask for', async () => {
    const { id, email, challenges } = await createPerson(app);
    expect((await app.client().login(email)).status).toBe(200);
    await query(`update auth_account set second_factors = '{unused}' where user_id = $1`, [id]);
    expect((await app.client().login(email)).status).toBe(200);
    expect(await challenges()).toEqual([]);
  });

  test('is refused if the app lacks the module of the only factor, and asks for another factor if there is one', async () => {
    const { id, email, challenges } = await createPerson(app);
    const own = (factors: string) =>
      query('update auth_account set second_factors = $2 where user_id = $1', [id, factors]);
    await app.client().login(email); // makes the row of the account
    await own('{of_a_module_that_is_gone}');
    expectProblem(await app.client().login(email), 500, 'internal_error');
    expect([await challenges(), app.log.splice(0).length]).toEqual([[], 1]);
    await own('{of_a_module_that_is_gone, codes}');
    expect((await app.client().login(email)).body.methods).toEqual(['codes', 'codes_backup']);
  });
});

describe('a challenge', () => {
  const sql =
    (statement: string) =>
    async ({ id }: Person) =>
      void (await query(statement, [id]));
  const changePassword = async ({ id }: Person) => {
    const client = Object.assign(app.client(), await app.auth.sessions.open({ id }));
    await client.changePassword(PASSWORD, 'another sentence of some length');
  };

  test.each<[what: string, end: (person: Person, challenge: string) => Promise<unknown>]>([
    [
      'after five wrong answers',
      async (_person, challenge) => {
        for (let wrong = 0; wrong < 5; wrong++) expectProblem(await verify(challenge, 'wrong'), 400, 'code_wrong');
      },
    ],
    ['after five minutes', async () => app.clock.advance(300)],
    ['after a change of the password', changePassword],
    ['when the factor is removed', ({ id }) => codesOf(app.auth).remove(id)],
    ['when the factor is set up again', ({ id }) => codesOf(app.auth).give(id, ['new'])],
    [
      'when the factor is removed and set up again',
      async ({ id }) => {
        await codesOf(app.auth).remove(id);
        await codesOf(app.auth).give(id, CODES);
      },
    ],
    ['when the address changes', sql(`update app_user set email = 'new-' || email where id = $1`)],
    ['when the user is deactivated', ({ id }) => app.auth.deactivation.deactivate(id)],
    ['when the user is inactive', sql('update app_user set is_active = false where id = $1')],
    [
      'when the user is deactivated and active again',
      async (person) => {
        await app.auth.deactivation.deactivate(person.id);
        await sql('update app_user set is_active = true where id = $1')(person);
      },
    ],
    ['when the user is deleted', sql('delete from app_user where id = $1')],
    ['after a change of the password by the app', sql('update app_user set password_hash = null where id = $1')],
  ])('is not valid %s', async (_what, end) => {
    const person = await owner();
    const challenge = await person.login();
    await end(person, challenge);
    const before = await stateOf(person);
    for (const code of [...CODES, 'new', 'wrong'])
      expectProblem(await verify(challenge, code), 401, 'challenge_not_valid');
    expect(await stateOf(person)).toEqual(before);
  });

  test('stays valid after four wrong answers and until its last second', async () => {
    const { login, live } = await owner();
    const challenge = await login();
    for (let wrong = 0; wrong < 4; wrong++) expectProblem(await verify(challenge, 'wrong'), 400, 'code_wrong');
    app.clock.advance(299);
    expect((await verify(challenge, 'first')).status).toBe(200);
    expect(await live()).toHaveLength(1);
  });

  test('stays valid when another challenge of the user is answered', async () => {
    const { login, live } = await owner();
    const [first, second] = [await login(), await login()];
    expect((await verify(first, 'first')).status).toBe(200);
    expect((await verify(second, 'second')).status).toBe(200);
    expect(await live()).toHaveLength(2);
  });

  test('is deleted by purge once it has expired', async () => {
    await query('delete from auth_challenge');
    const [old, young] = [await owner(), await owner()];
    await old.login();
    app.clock.advance(300);
    await young.login();
    app.clock.advance(1);
    expect(await app.auth.purge.run({ pause: async () => {} })).toMatchObject({ challenges: 1 });
    expect([(await old.challenges()).length, (await young.challenges()).length]).toEqual([0, 1]);
  });
});

describe('wrong answers', () => {
  test('are counted for the user over all challenges and methods, and after ten no answer is checked', async () => {
    const person = await owner();
    const other = await owner();
    for (const method of ['codes', 'codes_backup']) {
      const challenge = await person.ticket();
      for (let wrong = 0; wrong < 5; wrong++)
        expectProblem(await verify(challenge, 'wrong', app.client(), method), 400, 'code_wrong');
    }
    const challenge = await person.login();
    const before = await stateOf(person);
    let looks = 0;
    afterCheck = async () => void looks++;
    for (const code of ['first', 'wrong', 'second', 'third', 'first', 'first']) {
      const answer = await verify(challenge, code);
      expectProblem(answer, 429, 'too_many_requests');
      expect(answer.headers.get('retry-after')).toBe(String(WINDOW_SECONDS));
    }
    expect([looks, await stateOf(person)]).toEqual([0, before]);
    expect((await verify(await other.login(), 'first')).status).toBe(200);
    app.clock.advance(WINDOW_SECONDS - 1);
    const later = await person.login();
    expectProblem(await verify(later, 'first'), 429, 'too_many_requests');
    app.clock.advance(1);
    expect((await verify(later, 'first')).status).toBe(200);
  });

  test('are all counted when they come in parallel', async () => {
    const person = await owner();
    const challenges = [await person.login(), await person.login(), await person.login()];
    const guesses = challenges.flatMap((challenge) => Array.from({ length: 8 }, () => verify(challenge, 'wrong')));
    const codes = (await Promise.all(guesses)).map(({ body }) => body.code);
    expect(codes.filter((code) => code === 'code_wrong').length).toBeLessThanOrEqual(10);
    expect((await person.challenges()).every(({ attempts }) => attempts <= 5)).toBe(true);
    // Each guess that was checked counts, and no other one.
    const looked = codes.filter((code) => code === 'code_wrong').length;
    const last = [];
    for (let guess = looked; guess < 10; guess++) last.push((await verify(await person.login(), 'wrong')).body.code);
    expect(last).toEqual(Array(10 - looked).fill('code_wrong'));
    expectProblem(await verify(await person.login(), 'first'), 429, 'too_many_requests');
  });

  test('to one challenge are checked five times, also in parallel', async () => {
    const person = await owner();
    const challenge = await person.login();
    const answers = await Promise.all(Array.from({ length: 8 }, () => verify(challenge, 'wrong')));
    const refusals = answers.map(({ body }) => body.code).sort();
    expect(refusals).toEqual([...Array(3).fill('challenge_not_valid'), ...Array(5).fill('code_wrong')]);
    expect((await person.challenges()).map(({ attempts }) => attempts)).toEqual([5]);
  });

  test('are counted without right answers, which do not reset the count', async () => {
    const person = await owner();
    await codesOf(app.auth).give(
      person.id,
      Array.from({ length: 12 }, (_, code) => `more ${code}`),
    );
    for (let wrong = 0; wrong < 9; wrong++)
      expectProblem(await verify(await person.ticket(), 'wrong'), 400, 'code_wrong');
    for (let right = 0; right < 12; right++)
      expect((await verify(await person.ticket(), `more ${right}`)).status).toBe(200);
    expectProblem(await verify(await person.ticket(), 'wrong'), 400, 'code_wrong');
    expectProblem(await verify(await person.ticket(), 'first'), 429, 'too_many_requests');
  });

  test('cannot be added by a stranger without the password', async () => {
    const { login, email } = await owner();
    const challenge = await login();
    const before = await query('select * from auth_counter order by key');
    const strange = ['', 'x', 'A'.repeat(43), challenge.slice(1), `${challenge}A`, ` ${challenge}`, '%00'.repeat(14)];
    for (const guess of strange) expectProblem(await verify(guess, 'first'), 401, 'challenge_not_valid');
    expectProblem(await app.client().send('POST', '/auth/codes/verify', { challenge: 1 }), 400, 'validation_failed');
    expectProblem(await app.client().login(email, 'a wrong sentence of some length'), 401, 'incorrect_credentials');
    expect(await query('select * from auth_counter order by key')).toEqual(before);
  });

  test('do not include an answer by a method that the challenge does not allow', async () => {
    const person = await owner();
    const challenge = await person.login();
    const before = await stateOf(person);
    for (const method of ['codes_setup', 'totp', 'unused', '', '__proto__'])
      expectProblem(await verify(challenge, 'first', app.client(), method), 401, 'challenge_not_valid');
    expect(await stateOf(person)).toEqual(before);
  });
});

describe('nothing is used up or counted', () => {
  test.each([
    ['the hook of the app', setHook],
    ['a gate', setGate],
  ])('if %s refuses the second step, however often', async (_by, decide) => {
    const person = await owner();
    const challenge = await person.login();
    const before = await stateOf(person);
    decide(refuse);
    for (let time = 0; time < 12; time++) expectProblem(await verify(challenge, 'first'), 403, 'permission_denied');
    expect(await stateOf(person)).toEqual(before);
    decide(async () => {});
    expect((await verify(challenge, 'first')).status).toBe(200);
  });

  test('if the database fails in the middle', async () => {
    const person = await owner();
    const challenge = await person.login();
    const before = await stateOf(person);
    afterCheck = async (em) => {
      await em
        .getConnection()
        .execute('select pg_terminate_backend(pg_backend_pid())', [], 'all', em.getTransactionContext());
    };
    for (let time = 0; time < 6; time++) expectUnavailable(await verify(challenge, 'first'));
    expect(await stateOf(person)).toEqual(before);
    afterCheck = async () => {};
    expect((await verify(challenge, 'first')).status).toBe(200);
  });

  test('if another request has answered the challenge at the same moment', async () => {
    const person = await owner();
    const { counters } = await stateOf(person);
    for (const [round, code] of CODES.entries()) {
      const challenge = await person.login();
      const answers = await Promise.all(Array.from({ length: 5 }, () => verify(challenge, code)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
      expect(await person.live()).toHaveLength(round + 1);
    }
    expect((await stateOf(person)).counters).toEqual(counters);
  });
});

test('where every user must have a second factor, a user without one sets it up at the sign-in', async () => {
  const strict = await createTestApp(options(true));
  const { id, email, live } = await createPerson(strict);
  const login = async () => (await strict.client().login(email)).body;
  const [mine, thief] = [await login(), await login()];
  expect(mine).toMatchObject({ code: 'second_factor_required', methods: ['codes_setup'], expires_in: 300 });
  expectProblem(await verify(mine.challenge, 'chosen', strict.client()), 401, 'challenge_not_valid');
  const answer = await verify(mine.challenge, 'chosen', strict.client(), 'codes_setup');
  expect([answer.status, claimsOf(answer.body.access).amr]).toEqual([200, ['pwd', 'otp', 'mfa']]);
  // The other challenge was for a user without a factor.
  expectProblem(await verify(thief.challenge, 'stolen', strict.client(), 'codes_setup'), 401, 'challenge_not_valid');
  expect(await live()).toEqual([claimsOf(answer.body.access).session]);
  const next = await login();
  expect(next).toMatchObject({ methods: ['codes', 'codes_backup'] });
  expectProblem(await verify(next.challenge, 'more', strict.client(), 'codes_setup'), 401, 'challenge_not_valid');
  await strict.database.pool.query(`update auth_account set second_factors = '{unused}' where user_id = $1`, [id]);
  expect(await login()).toMatchObject({ methods: ['unused'] });
  await strict.close();
});

test('a sign-in without any method for its second factor is a fault, or a refusal if the factor is just removed', async () => {
  const lost: AuthModule = {
    name: 'lost',
    create: () => ({
      secondFactors: [
        {
          ...{ name: 'lost', isAlwaysAsked: true, limits: [], removeSince: async () => {} },
          methodsOf: async (user) => {
            await atChallenge(String(user));
            return [];
          },
        },
      ],
    }),
  };
  const lossy = await createTestApp({ orm: { entities: entitiesWith(lost) } });
  const { id, email, challenges, live } = await createPerson(lossy);
  const set = (factors: string) =>
    lossy.database.pool.query(
      `insert into auth_account (user_id, state, credential_epoch, second_factors) values ($1, 'in_use', 1, $2)
       on conflict (user_id) do update set credential_epoch = auth_account.credential_epoch + 1, second_factors = $2`,
      [id, factors],
    );
  await set('{lost}');
  expectProblem(await lossy.client().login(email), 500, 'internal_error');
  expect(JSON.stringify(lossy.log)).toContain('the account has the second factor lost, but no credentials of it');
  atChallenge = async () => void (await set('{}'));
  expectProblem(await lossy.client().login(email), 401, 'incorrect_credentials');
  expect([await challenges(), await live()]).toEqual([[], []]);
  expect((await lossy.client().login(email)).status).toBe(200);
  await lossy.close();
});

test('an address that is not confirmed gets email_not_verified, and never a challenge', async () => {
  const app = await createMailApp({ emailVerification: 'mandatory' }, options(true));
  const { id, email, challenges } = await createPerson(app, { emailVerified: false });
  const refusals = async () => {
    expectProblem(await app.client().login(email), 401, 'email_not_verified');
    await expect(app.auth.signIn({ id }, { method: 'x' })).rejects.toMatchObject({ code: 'email_not_verified' });
  };
  await refusals();
  await codesOf(app.auth).give(id, CODES);
  await refusals();
  expect(await challenges()).toEqual([]);
  await app.database.pool.query('update app_user set email_verified = true where id = $1', [id]);
  const challenge = challengeOf(await app.client().login(email));
  await app.database.pool.query('update app_user set email_verified = false where id = $1', [id]);
  expectProblem(await verify(challenge, 'first', app.client()), 401, 'email_not_verified');
  expect((await challenges()).map(({ attempts }) => attempts)).toEqual([0]);
  await app.close();
});

test.each([['mfa'], [['pwd', 'mfa']], [[['mfa']]]])(
  'an app cannot pass the method %j, which only modules may add',
  async (method) => {
    const { id, live } = await createPerson(app);
    const before = await live();
    await expect(app.auth.signIn({ id }, { method: method as string })).rejects.toThrow(TypeError);
    expect(await live()).toEqual(before);
  },
);
