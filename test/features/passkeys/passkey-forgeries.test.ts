import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attestationObject, authenticatorData } from '../../../src/features/passkeys/testing/authenticator-data.js';
import { encodeCbor } from '../../../src/features/passkeys/testing/cbor.js';
import { PasskeyKey } from '../../../src/features/passkeys/testing/passkey-key.js';
import { expectProblem } from '../../support/expect-problem.js';
import { type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import {
  addPasskey,
  createPasskeyOwner,
  createPasskeysApp,
  creationOptions,
  type Forgery,
  login,
  newAuthenticator,
  type PasskeyOwner,
  passkeyRows,
  register,
  requestOptions,
  rowsOf,
  sessionFor,
  signIn,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import type { TestClient } from '../../support/test-client.js';

let app: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp({ trustedOrigins: ['http://trusted.accounts.test', 'https://elsewhere.example'] });
});
afterAll(() => app.close());

/** What a response says, or how it looks, instead of the truth. */
const FORGED: readonly (readonly [string, Forgery])[] = [
  ['another origin', { origin: 'https://evil.example' }],
  ['another scheme', { origin: 'https://accounts.test' }],
  ['another port', { origin: `${PUBLIC_URL}:8080` }],
  ['a subdomain that is not trusted', { origin: 'http://www.accounts.test' }],
  ['a trusted origin at another domain', { origin: 'https://elsewhere.example' }],
  ['another RP ID', { rpId: 'evil.example' }],
  ['the RP ID of a domain above', { rpId: 'test' }],
  ['no user presence', { isUserPresent: false }],
  ['no user verification', { isUserVerified: false }],
  ['a backup that is not possible', { isBackupEligible: false, isBackedUp: true }],
  ['a frame of another site', { clientData: { crossOrigin: true } }],
  ['a frame in a page of another site', { clientData: { crossOrigin: true, topOrigin: 'https://evil.example' } }],
  ['a page that contains it, but no frame', { clientData: { crossOrigin: false, topOrigin: 'https://evil.example' } }],
  ['no challenge', { challenge: '' }],
  ['a made-up challenge', { challenge: Buffer.alloc(54, 7).toString('base64url') }],
];

/** How a response looks that no browser sends. */
const BROKEN: readonly (readonly [string, (credential: Response) => unknown])[] = [
  ['no members', () => ({})],
  ['no response', ({ response: _, ...rest }) => rest],
  ['a response that is null', (credential) => ({ ...credential, response: null })],
  ['a response that is a list', (credential) => ({ ...credential, response: [] })],
  ['an id that is a number', (credential) => ({ ...credential, id: 1 })],
  ['an id that is empty', (credential) => ({ ...credential, id: '', rawId: '' })],
  ['another raw id', (credential) => ({ ...credential, rawId: 'AAAA' })],
  ['another type', (credential) => ({ ...credential, type: 'password' })],
  ['an id that claims two gigabytes', (credential) => ({ ...credential, rawId: { length: 2 ** 31 } })],
  ...['clientDataJSON', 'authenticatorData', 'attestationObject', 'signature', 'userHandle'].flatMap((member) =>
    [
      ['missing', undefined] as const,
      ['null', null] as const,
      ['a number', 7] as const,
      ['a list', ['AAAA']] as const,
      ['an object that claims two gigabytes', { length: 2 ** 31 }] as const,
      ['no base64url', '!!!'] as const,
      ['empty', ''] as const,
      ['not what it should be', Buffer.from('{}').toString('base64url')] as const,
    ].map(([what, value]): [string, (credential: Response) => unknown] => [
      `${member} ${what}`,
      (credential) =>
        member in credential.response
          ? { ...credential, response: { ...credential.response, [member]: value } }
          : undefined,
    ]),
  ),
];
type Response = { id: string; rawId: string; type: string; response: Record<string, unknown> };

const bytesOf = (text: unknown) => Buffer.from(String(text), 'base64url');

/** A response with other bytes of one member. */
const withBytes = (credential: Response, member: string, change: (bytes: Buffer) => Buffer) => {
  const bytes = change(bytesOf(credential.response[member]));
  return { ...credential, response: { ...credential.response, [member]: bytes.toString('base64url') } };
};

describe('a sign-in is refused, with one answer, no trace and nothing used up, for', () => {
  let owner: PasskeyOwner;
  let other: PasskeyOwner;
  beforeAll(async () => {
    owner = await createPasskeyOwner(app);
    other = await createPasskeyOwner(app);
  });

  const options = () => requestOptions(app.client());

  async function expectRefused(credential: unknown): Promise<void> {
    const before = await rowsOf(app);
    const answer = await login(app.client(), { credential });
    expectProblem(answer, 401, 'passkey_not_valid');
    expect(answer.body.detail).toBe('The passkey is not valid here.');
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await rowsOf(app)).toBe(before);
  }

  test.each([
    ...FORGED,
    ['the type of a registration', { type: 'webauthn.create' }],
    ['no user handle', { userHandle: null }],
    ['another user handle', { userHandle: Buffer.alloc(32, 1).toString('base64url') }],
    ['an eligibility for backups that it did not have', { isBackupEligible: false, isBackedUp: false }],
  ] as [string, Forgery][])('%s', async (_what, forgery) => {
    await expectRefused(owner.authenticator.get(await options(), forgery));
    expect((await signIn(app.client(), owner.authenticator)).status).toBe(200);
  });

  test.each(BROKEN)('%s', async (_what, change) => {
    const forged = change(owner.authenticator.get(await options()) as unknown as Response);
    if (forged !== undefined) await expectRefused(forged);
  });

  test('the user handle of another user', async () => {
    const userHandle = other.authenticator.passkeys[0]?.userHandle ?? '';
    await expectRefused(owner.authenticator.get(await options(), { userHandle }));
  });

  test.each(['signature', 'authenticatorData', 'clientDataJSON'])('%s that is cut off or changed', async (member) => {
    for (const change of [
      (bytes: Buffer) => bytes.subarray(0, -1),
      (bytes: Buffer) => bytes.subarray(0, 20),
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]),
    ])
      await expectRefused(withBytes(owner.authenticator.get(await options()) as never, member, change));
  });

  test('extensions that are announced, and missing or cut off', async () => {
    for (const more of [[], [0xa1], [0xa1, 0x63], [0xbf], [0x5b, 255, 255, 255, 255, 255, 255, 255, 255]]) {
      const credential = owner.authenticator.get(await options()) as never;
      const extended = (bytes: Buffer) => {
        bytes.writeUInt8(bytes.readUInt8(32) | 0x80, 32);
        return Buffer.concat([bytes, Buffer.from(more)]);
      };
      await expectRefused(withBytes(credential, 'authenticatorData', extended));
    }
  });

  test('the signature of another passkey', async () => {
    const { response } = other.authenticator.get(await options());
    const { id } = owner.authenticator.get(await options());
    const own = { userHandle: owner.authenticator.passkeys[0]?.userHandle };
    await expectRefused({ id, rawId: id, type: 'public-key', response: { ...response, ...own } });
  });

  test('a passkey that is unknown, removed, disabled, or of a deleted user', async () => {
    const unknown = newAuthenticator();
    unknown.create({ ...(await creationOptions(await sessionFor(app, owner.id))), excludeCredentials: [] });
    await expectRefused(unknown.get(await options()));
    for (const change of [
      'delete from auth_passkey where user_id = $1',
      'update auth_passkey set disabled_at = now() where user_id = $1',
      'delete from app_user where id = $1',
    ]) {
      const former = await createPasskeyOwner(app);
      const credential = former.authenticator.get(await options());
      await app.database.pool.query(change, [former.id]);
      await expectRefused(credential);
    }
  });

  test('a challenge that was used, has expired, is changed, or is for something else', async () => {
    const at = async (challenge: string) =>
      expectRefused(owner.authenticator.get({ challenge, rpId: 'accounts.test' }));
    const used = (await options()).challenge;
    const credential = owner.authenticator.get({ challenge: used, rpId: 'accounts.test' });
    expect((await login(app.client(), { credential })).status).toBe(200);
    await at(used);
    await expectRefused(credential);
    const session = await sessionFor(app, owner.id);
    await at((await creationOptions(session)).challenge);
    await at((await requestOptions(session, {}, session.bearer)).challenge);
    await app.database.pool.query(`update auth_account set second_factors = '{passkey,totp}' where user_id = $1`, [
      owner.id,
    ]);
    const challenge = await owner.login();
    await app.database.pool.query(`update auth_account set second_factors = '{passkey}' where user_id = $1`, [
      owner.id,
    ]);
    await at((await requestOptions(app.client(), { challenge })).challenge);
    const changed = bytesOf((await options()).challenge);
    changed.writeUInt8(changed.readUInt8(5) ^ 1, 5); // a later expiry
    await at(changed.toString('base64url'));
    await at(`${(await options()).challenge}AAAA`);
    const stale = (await options()).challenge;
    app.clock.advance(300);
    await at(stale);
  });

  test('a challenge of a server with other encryption keys', async () => {
    const foreign = await createPasskeysApp({ encryptionKeys: [Buffer.alloc(32, 5).toString('base64url')] as never });
    const { challenge } = await requestOptions(foreign.client());
    await foreign.close();
    await expectRefused(owner.authenticator.get({ challenge, rpId: 'accounts.test' }));
  });
});

test('a challenge is good on a server whose first encryption key is another one', async () => {
  const owner = await createPasskeyOwner(app);
  const keys = [Buffer.alloc(32, 9).toString('base64url'), ...app.auth.settings.encryptionKeys];
  const next = await createPasskeysApp({ encryptionKeys: keys as never }, { database: app.database });
  const credential = owner.authenticator.get(await requestOptions(app.client()));
  expect((await login(next.client(), { credential })).status).toBe(200);
  expectProblem(await login(app.client(), { credential }), 401, 'passkey_not_valid');
  await next.close();
});

test('a page of a trusted origin below the domain may sign in, also in a frame of the app', async () => {
  const owner = await createPasskeyOwner(app);
  const origin = 'http://trusted.accounts.test';
  expect((await signIn(app.client(), owner.authenticator, { origin })).status).toBe(200);
  const clientData = { crossOrigin: true, topOrigin: PUBLIC_URL };
  expect((await signIn(app.client(), owner.authenticator, { origin, clientData })).status).toBe(200);
});

describe('a new passkey is refused, with one answer and no trace, for', () => {
  let client: TestClient;
  let user: string;
  beforeAll(async () => {
    ({ id: user } = await createPerson(app));
    client = await sessionFor(app, user);
  });

  async function expectRefused(credential: unknown): Promise<void> {
    const before = await rowsOf(app);
    const answer = await register(client, { credential });
    expectProblem(answer, 400, 'passkey_not_valid');
    expect(answer.body.detail).toBe('The passkey could not be added; try again.');
    expect(await rowsOf(app)).toBe(before);
  }
  const options = () => creationOptions(client);

  test.each([...FORGED, ['the type of a sign-in', { type: 'webauthn.get' }]] as [string, Forgery][])(
    '%s',
    async (_what, forgery) => {
      await expectRefused(newAuthenticator().create(await options(), forgery));
    },
  );

  test.each(BROKEN.filter(([what]) => !/^authenticatorData/.test(what)))('%s', async (_what, change) => {
    const forged = change(newAuthenticator().create(await options()) as unknown as Response);
    if (forged !== undefined) await expectRefused(forged);
  });

  test('an attestation object that is cut off anywhere', async () => {
    const credential = newAuthenticator().create(await options());
    const { length } = bytesOf(credential.response.attestationObject);
    for (let end = 0; end < length; end += 7)
      await expectRefused(withBytes(credential as never, 'attestationObject', (bytes) => bytes.subarray(0, end)));
  });

  test.each([
    ['lists in lists', Buffer.alloc(60_000, 0x81)],
    ['maps in maps', Buffer.alloc(60_000, 0xa1)],
    ['tags of tags', Buffer.alloc(60_000, 0xc1)],
    ['a list of 2^32 members', Buffer.from('9affffffff00', 'hex')],
    ['bytes that are longer than the object', Buffer.from('5affffffff00', 'hex')],
    ['a map with one key twice', Buffer.from('a263666d74646e6f6e6563666d74646e6f6e65', 'hex')],
  ])('an attestation object of %s, at once', async (_what, bytes) => {
    const credential = newAuthenticator().create(await options());
    const startedAt = performance.now();
    await expectRefused(withBytes(credential as never, 'attestationObject', () => bytes));
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  /** A new passkey with another key or id of the credential. */
  async function made({ publicKey = new PasskeyKey('ES256').cose, id = Buffer.alloc(32, 3) }) {
    const credential = newAuthenticator().create(await options());
    const flags = { isUserPresent: true, isUserVerified: true, isBackupEligible: true, isBackedUp: true, counter: 0 };
    const data = authenticatorData('accounts.test', flags, { aaguid: crypto.randomUUID(), id, publicKey });
    const text = id.toString('base64url');
    const forged = withBytes(credential as never, 'attestationObject', () => attestationObject(data));
    return { ...forged, id: text, rawId: text };
  }

  test('a key of another algorithm, type or curve, without an algorithm, that is no key, or of a bad length', async () => {
    const { cose } = new PasskeyKey('ES256');
    for (const [member, other] of [
      ['0326', '0328'], // algorithm
      ['010203', '010103'], // type
      ['2001', '2002'], // curve
    ] as const) {
      const publicKey = Buffer.from(cose.toString('hex').replace(member, other), 'hex');
      expect(publicKey).not.toEqual(cose);
      await expectRefused(await made({ publicKey }));
    }
    await expectRefused(await made({ publicKey: encodeCbor(new Map([[1, 2]])) }));
    await expectRefused(await made({ publicKey: encodeCbor('no key') }));
    const [x, y] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]; // no point of the curve
    const key = (members: [number, number | Buffer][]) => encodeCbor(new Map<number, number | Buffer>(members));
    await expectRefused(
      await made({
        publicKey: key([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, x],
          [-3, y],
        ]),
      }),
    );
    await expectRefused(
      await made({
        publicKey: key([
          [1, 1],
          [3, -8],
          [-1, 6],
          [-2, x.subarray(1)],
        ]),
      }),
    );
    const exponent = Buffer.from('010001', 'hex');
    for (const bytes of [127, 1200])
      await expectRefused(
        await made({
          publicKey: key([
            [1, 3],
            [3, -257],
            [-1, Buffer.alloc(bytes, 255)],
            [-2, exponent],
          ]),
        }),
      );
  });

  test('an id of the credential that is empty or longer than 1023 bytes', async () => {
    await expectRefused(await made({ id: Buffer.alloc(1024, 4) }));
    await expectRefused(await made({ id: Buffer.alloc(0) }));
    expect((await register(client, { credential: await made({ id: Buffer.alloc(1023, 4) }) })).status).toBe(201);
  });

  test('a challenge that was used, has expired, or is for another purpose or another user', async () => {
    const fresh = await options();
    const at = async (challenge: string) =>
      expectRefused(newAuthenticator().create({ ...(await options()), challenge }));
    const used = newAuthenticator().create(fresh);
    expect((await register(client, { credential: used })).status).toBe(201);
    await expectRefused(used);
    await at(fresh.challenge);
    await at((await requestOptions(app.client())).challenge);
    await at((await requestOptions(client, {}, client.bearer)).challenge);
    const stranger = await createPerson(app);
    await at((await creationOptions(await sessionFor(app, stranger.id))).challenge);
    await at((await creationOptions(await sessionFor(app, user))).challenge);
    const stale = (await options()).challenge;
    app.clock.advance(300);
    await at(stale);
  });

  test('nothing but these: each passkey of this test was added with its own id of the user', async () => {
    const { credentialId } = await addPasskey(client);
    const rows = await passkeyRows(app, user);
    expect(rows.map(({ credential_id }) => credential_id)).toContain(credentialId);
    expect(new Set(rows.map(({ user_handle }) => user_handle)).size).toBe(1);
  });
});

test('an attestation that was not asked for is ignored, and none of its certificates is looked at', async () => {
  const { id } = await createPerson(app);
  const client = await sessionFor(app, id);
  for (const format of ['packed', 'android-key', 'tpm', 'apple', 'fido-u2f', 'made-up']) {
    const authenticator = newAuthenticator();
    const credential = authenticator.create({ ...(await creationOptions(client)), excludeCredentials: [] });
    const certificate = Buffer.from('no certificate');
    const statement = new Map<string, number | Buffer>([
      ['alg', -7],
      ['sig', certificate],
      ['x5c', certificate],
    ]);
    const attested = withBytes(credential as never, 'attestationObject', () =>
      encodeCbor(
        new Map<string, string | Buffer | typeof statement>([
          ['fmt', format],
          ['attStmt', statement],
          ['authData', bytesOf(credential.response.authenticatorData)],
        ]),
      ),
    );
    expect((await register(client, { credential: attested })).status).toBe(201);
    expect((await signIn(app.client(), authenticator)).status).toBe(200);
  }
});
