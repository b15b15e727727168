import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { liveSessionsOf } from '../../support/factor-owners.js';
import { type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import {
  createPasskeyOwner,
  createPasskeysApp,
  creationOptions,
  login,
  newAuthenticator,
  type PasskeyOwner,
  passkeyRows,
  register,
  requestOptions,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf, raceAll } from '../../support/race.js';
import { startServerProcess } from '../../support/server-process.js';
import { SECRET } from '../../support/test-app.js';
import { type Answer, TestClient } from '../../support/test-client.js';

/** Rounds of each forced race, and of each race by brute force. */
const ROUNDS = 20;
const BRUTE_ROUNDS = 50;
/** Rounds that run at once. Each holds two connections. */
const BATCH = 5;

let app: MailApp;
/** Another process, on the same database. */
let server: Awaited<ReturnType<typeof startServerProcess>>;
beforeAll(async () => {
  const settings = { emailVerification: 'optional', mailRateLimit: 'off', passkeyRateLimit: 'off' } as const;
  app = await createPasskeysApp(settings);
  const own = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development: true, publicUrl: PUBLIC_URL };
  server = await startServerProcess(app.database.appUrl, { ...settings, ...own }, { hasPasskeys: true });
});
afterAll(async () => {
  await server.stop();
  await app.close();
});

const onThis = () => app.client();
const onOther = () => new TestClient(server.url, 'cookie', 'refresh_token');
const outcomeOf = ({ body }: Answer): string => body.code ?? 'tokens';

/** Makes owners whose authenticators count, and signatures that can be sent. The clocks of both processes must agree. */
async function prepare(count: number) {
  app.clock.set(new Date());
  const made = Array.from({ length: count }, async () => {
    const owner = await createPasskeyOwner(app, newAuthenticator({ isCounting: true }));
    return { ...owner, credential: owner.authenticator.get(await requestOptions(app.client())) };
  });
  return Promise.all(made);
}

/** What happens at the same moment as a sign-in. @returns the sessions that must be live afterwards */
const CHANGES: readonly (readonly [string, string, (owner: PasskeyOwner) => Promise<() => Promise<string[]>>])[] = [
  [
    'the removal of the passkey',
    'passkey_not_valid',
    async ({ id, passkey }) => {
      const client = await sessionFor(app, id);
      return async () => {
        const { status } = await client.send('DELETE', `/auth/passkeys/${passkey}`, undefined, client.bearer);
        expect(status).toBe(204);
        return [claimsOf(client.access).session];
      };
    },
  ],
  [
    'a deactivation',
    'no_active_account',
    async ({ id }) =>
      async () => {
        await app.auth.deactivation.deactivate(id);
        return [];
      },
  ],
  [
    'a change of the password',
    'incorrect_credentials',
    async ({ id }) => {
      const client = await sessionFor(app, id);
      return async () => {
        const { status, body } = await client.changePassword('a sentence qxvz', 'another sentence of some length');
        expect(status).toBe(200);
        return [claimsOf(body.access).session];
      };
    },
  ],
];

describe.each([
  ['one process', onThis],
  ['two processes', onOther],
] as const)('on %s, a sign-in with a passkey and', (_where, client) => {
  test.each(CHANGES)(
    `%s at once: whichever is first, only the sessions after it live on, ${ROUNDS} times`,
    async (what, refusal, change) => {
      for (let round = 0; round < ROUNDS; round += BATCH) {
        const owners = await prepare(BATCH);
        const ids = owners.map(({ id }) => id);
        const changes = await Promise.all(owners.map(change));
        const signIns = owners.map(
          ({ credential }) =>
            () =>
              login(client(), { credential }),
        );
        const users = { table: 'app_user', ids };
        const isFirst = round % 2 === 0;
        const pairs = isFirst
          ? await raceAll(app, users, signIns, changes)
          : (await raceAll(app, users, changes, signIns)).map(([rest, answer]) => [answer, rest] as const);
        expect(pairs.map(([answer]) => outcomeOf(answer))).toEqual(ids.map(() => (isFirst ? 'tokens' : refusal)));
        const live = await liveSessionsOf(app, ids);
        const isKept = isFirst && what === 'the removal of the passkey'; // as after the removal of any other credential
        const expected = pairs.map(([answer, rest]) =>
          isKept ? [...rest, claimsOf(answer.body.access).session] : rest,
        );
        expect(live.map((each) => [...each].sort())).toEqual(expected.map((each) => [...each].sort()));
      }
    },
  );
});

test(`on two processes, the same signature four times at once signs in once and disables nothing, ${BRUTE_ROUNDS} times`, async () => {
  for (let round = 0; round < BRUTE_ROUNDS; round += BATCH) {
    const owners = await prepare(BATCH);
    const answers = await Promise.all(
      owners.map(({ credential }) =>
        Promise.all([onThis(), onOther(), onThis(), onOther()].map((client) => login(client, { credential }))),
      ),
    );
    for (const each of answers)
      expect(each.map(outcomeOf).sort()).toEqual([
        'passkey_not_valid',
        'passkey_not_valid',
        'passkey_not_valid',
        'tokens',
      ]);
    for (const { id } of owners)
      expect(await passkeyRows(app, id)).toMatchObject([{ counter: '1', disabled_at: null }]);
    const live = await liveSessionsOf(
      app,
      owners.map(({ id }) => id),
    );
    expect(live.map(({ length }) => length)).toEqual(owners.map(() => 1));
  }
});

test(`on two processes, two signatures with one counter at once: one signs in, and the passkey is disabled once, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const [owner] = await prepare(1);
    if (!owner) throw new Error('there is no owner');
    const { authenticator, id } = owner;
    const both = await Promise.all(
      [onThis(), onOther()].map(async (client) => signIn(client, authenticator, { counter: 9 })),
    );
    expect(both.map(outcomeOf).sort()).toEqual(['passkey_not_valid', 'tokens']);
    expect(await passkeyRows(app, id)).toMatchObject([{ counter: '9', disabled_at: expect.any(Date) }]);
  }
});

test(`on two processes, one new passkey four times at once is added once, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    app.clock.set(new Date());
    const { id } = await createPerson(app);
    const client = await sessionFor(app, id);
    const credential = newAuthenticator().create(await creationOptions(client));
    const other = Object.assign(onOther(), { access: client.access });
    const answers = await Promise.all([client, other, client, other].map((at) => register(at, { credential })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400]);
    expect(await passkeyRows(app, id)).toHaveLength(1);
  }
});

test('one credential for two users at once belongs to one of them', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    app.clock.set(new Date());
    const clients = await Promise.all([1, 2].map(async () => sessionFor(app, (await createPerson(app)).id)));
    const credentialId = crypto.getRandomValues(Buffer.alloc(32));
    const credentials = await Promise.all(
      clients.map(async (client) => {
        const credential = newAuthenticator().create(await creationOptions(client));
        const bytes = Buffer.from(credential.response.attestationObject, 'base64url');
        credentialId.copy(bytes, bytes.indexOf(Buffer.from(credential.id, 'base64url')));
        const id = credentialId.toString('base64url');
        const response = { ...credential.response, attestationObject: bytes.toString('base64url') };
        return { ...credential, id, rawId: id, response };
      }),
    );
    const other = Object.assign(onOther(), { access: clients[1]?.access });
    const answers = await Promise.all(
      [clients[0] as TestClient, other].map((client, at) => register(client, { credential: credentials[at] })),
    );
    expect(answers.map(({ body }) => body.code ?? 'added').sort()).toEqual(['added', 'passkey_already_registered']);
  }
});

test('of thirty new passkeys at once on two processes, for options from one moment, one is added', async () => {
  app.clock.set(new Date());
  const { id } = await createPerson(app);
  const client = await sessionFor(app, id);
  const other = Object.assign(onOther(), { access: client.access });
  const made = await Promise.all(
    Array.from({ length: 30 }, async () => newAuthenticator().create(await creationOptions(client))),
  );
  const answers = await Promise.all(
    made.map((credential, at) => register(at % 2 === 0 ? client : other, { credential })),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 400]));
  expect(await passkeyRows(app, id)).toHaveLength(1);
});

test('users who add passkeys on two processes at once, again and again, never have more than twenty', async () => {
  app.clock.set(new Date());
  const { id } = await createPerson(app);
  const client = await sessionFor(app, id);
  const other = Object.assign(onOther(), { access: client.access });
  const codes = new Set<string>();
  const add = async (at: TestClient) => {
    for (let attempt = 0; attempt < 60; attempt++) {
      const options = await at.send('POST', '/auth/passkeys/registration/options', {}, at.bearer);
      if (options.status !== 200) return void codes.add(options.body.code);
      codes.add((await register(at, { credential: newAuthenticator().create(options.body) })).body.code ?? 'added');
    }
  };
  await Promise.all([add(client), add(other), add(client), add(other)]);
  expect(await passkeyRows(app, id)).toHaveLength(20);
  expect([...codes].filter((code) => code !== 'too_many_passkeys').sort()).toEqual(['added', 'passkey_not_valid']);
});
