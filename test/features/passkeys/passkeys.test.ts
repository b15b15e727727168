import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import {
  addPasskey,
  createPasskeyOwner,
  createPasskeysApp,
  creationOptions,
  newAuthenticator,
  passkeyRows,
  register,
  rowsOf,
  sessionFor,
  withCredentialId,
} from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';

let app: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp({ auditLog: true, collectUserAgent: true });
});
afterAll(() => app.close());

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

async function signedIn() {
  const person = await createPerson(app);
  return { ...person, client: await sessionFor(app, person.id) };
}

/** The events of a user in the audit log that have a passkey. */
async function eventsOf(user: string) {
  const sql = `select event, details from auth_audit_event where user_id = $1 and event like 'passkey.%' order by at, id`;
  return (await app.database.pool.query(sql, [user])).rows.map(({ event, details }) => [event, details]);
}

describe('a new passkey', () => {
  test('has options that ask for a discoverable credential with user verification, and name no user', async () => {
    const { client, email, id } = await signedIn();
    const answer = await client.send('POST', '/auth/passkeys/registration/options', {}, client.bearer);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        challenge: expect.stringMatching(/^[\w-]{100,}$/),
        rp: { id: 'accounts.test', name: 'accounts.test' },
        user: { id: expect.stringMatching(/^[\w-]{43}$/), name: email, displayName: email },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ alg, type: 'public-key' })),
        timeout: 300_000,
        attestation: 'none',
        excludeCredentials: [],
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        extensions: { credProps: true },
        hints: [],
      },
    ]);
    expect(Buffer.from(answer.body.user.id, 'base64url').toString()).not.toContain(id);
    expect(await passkeyRows(app, id)).toEqual([]);
  });

  test.each(['ES256', 'EdDSA', 'RS256'] as const)(
    'with %s is stored, listed and recorded, and a mail is sent',
    async (algorithm) => {
      const { client, id, email } = await signedIn();
      const authenticator = newAuthenticator({ algorithm });
      const options = await creationOptions(client);
      const credential = authenticator.create(options);
      const answer = await register(client, { credential, name: 'My phone' });
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const shown = {
        id: expect.stringMatching(/^[\da-f-]{36}$/),
        name: 'My phone',
        createdAt: expect.stringMatching(ISO),
        lastUsedAt: null,
        isBackedUp: true,
        isDisabled: false,
      };
      expect([answer.status, answer.body]).toEqual([201, shown]);
      expect((await client.get('/auth/passkeys')).body).toEqual([answer.body]);
      expect(await app.auth.passkeys.list(id)).toMatchObject([{ id: answer.body.id, createdAt: expect.any(Date) }]);
      expect(await passkeyRows(app, id)).toMatchObject([
        {
          credential_id: credential.id,
          user_handle: options.user.id,
          counter: '0',
          transports: ['hybrid', 'internal'],
          is_backup_eligible: true,
          is_backed_up: true,
          proved_email: email,
          disabled_at: null,
        },
      ]);
      expect((await client.get('/auth/mfa')).body).toMatchObject({ totp: false, passkeys: 1 });
      expect(await eventsOf(id)).toEqual([['passkey.added', { passkey: answer.body.id }]]);
      expect((await app.mailsTo(email)).map(({ subject }) => subject)).toEqual(['A passkey was added to your account']);
    },
  );

  test('excludes those that the user has, and has the same id of the user', async () => {
    const { client } = await signedIn();
    const first = await creationOptions(client);
    const { credentialId, authenticator } = await addPasskey(client);
    const options = await creationOptions(client);
    expect(options.excludeCredentials).toEqual([
      { id: credentialId, type: 'public-key', transports: ['hybrid', 'internal'] },
    ]);
    expect(options.user.id).toBe(authenticator.passkeys[0]?.userHandle);
    expect(options.user.id).not.toBe(first.user.id);
    expect(() => authenticator.create(options)).toThrow('The authenticator has a passkey of this user.');
  });

  test.each([
    ['bada5566-a7aa-401f-bd96-45619a55120d', undefined, '1Password'],
    ['00000000-0000-0000-0000-000000000000', undefined, 'Passkey'],
    [
      '00000000-0000-0000-0000-000000000000',
      'Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0',
      'Firefox 139.0, Linux',
    ],
  ])('of the model %s by the browser %s has the name %s', async (aaguid, userAgent, name) => {
    const { client } = await signedIn();
    const credential = newAuthenticator({ aaguid }).create(await creationOptions(client));
    const headers = { ...client.bearer, 'user-agent': userAgent ?? '' };
    const { body } = await client.send('POST', '/auth/passkeys/registration', { credential }, headers);
    expect(body.name).toBe(name);
  });

  test.each([
    ['no credential', { name: 'x' }, 'credential'],
    ['a text as credential', { credential: 'x' }, 'credential'],
    ['a list as credential', { credential: [] }, 'credential'],
    ['an unknown field', { credential: {}, more: 1 }, 'more'],
    ['an empty name', { credential: {}, name: '' }, 'name'],
    ['a blank name', { credential: {}, name: '  ' }, 'name'],
    ['a name of 65 characters', { credential: {}, name: 'x'.repeat(65) }, 'name'],
    ['a name with a control character', { credential: {}, name: 'a\u0007b' }, 'name'],
    ['a name that is no text', { credential: {}, name: 7 }, 'name'],
    ['a name without a value', { credential: {}, name: null }, 'name'],
  ])('is refused in a body with %s', async (_what, body, field) => {
    const { client } = await signedIn();
    const answer = await register(client, body);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors.map((fault: { field: string }) => fault.field)).toEqual([field]);
  });

  test('can be named with 64 characters of any script', async () => {
    const { client } = await signedIn();
    const name = '🔑'.repeat(64);
    await addPasskey(client, newAuthenticator(), name);
    expect((await client.get('/auth/passkeys')).body).toMatchObject([{ name }]);
  });

  test('needs a fresh session for its options, and the same session for the response', async () => {
    const { client, id } = await signedIn();
    const options = await creationOptions(client);
    const credential = newAuthenticator().create(options);
    const another = await sessionFor(app, id);
    expectProblem(await register(another, { credential }), 400, 'passkey_not_valid');
    app.clock.advance(299);
    expect((await register(client, { credential })).status).toBe(201);
    app.clock.advance(302);
    const stale = await client.send('POST', '/auth/passkeys/registration/options', {}, client.bearer);
    expect([stale.status, stale.body.code]).toEqual([401, 'reauthentication_required']);
    await app.auth.sessions.revokeAll(id);
    expect((await register(client, { credential })).body.code).toBe('token_not_valid');
    expectProblem(await app.client().send('POST', '/auth/passkeys/registration/options', {}), 401, 'not_authenticated');
  });

  test('is refused after a change of the credentials, such as another new passkey', async () => {
    const { client, id } = await signedIn();
    const credential = newAuthenticator().create(await creationOptions(client));
    await addPasskey(client);
    const before = await rowsOf(app);
    expectProblem(await register(client, { credential }), 400, 'passkey_not_valid');
    expect(await rowsOf(app)).toBe(before);
    expect(await passkeyRows(app, id)).toHaveLength(1);
  });

  test('that another user has, or the same one, is registered already', async () => {
    const { client, id } = await signedIn();
    const authenticator = newAuthenticator();
    const { credentialId } = await addPasskey(client, authenticator);
    const stranger = await signedIn();
    for (const at of [client, stranger.client]) {
      const options = { ...(await creationOptions(at)), excludeCredentials: [] };
      const credential = newAuthenticator().create(options);
      const copied = withCredentialId(credential, credentialId);
      const before = await rowsOf(app);
      expectProblem(await register(at, { credential: copied }), 409, 'passkey_already_registered');
      expect(await rowsOf(app)).toBe(before);
    }
    expect(await passkeyRows(app, id)).toHaveLength(1);
  });

  test('is the last one when the user has twenty', async () => {
    const { client, id } = await signedIn();
    for (let count = 0; count < 19; count++) await addPasskey(client);
    const options = await creationOptions(client);
    await app.database.pool.query(
      `insert into auth_passkey select (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid(),
        'credential_id', 'twentieth-' || p.id))).* from auth_passkey p where user_id = $1 limit 1`,
      [id],
    );
    const before = await rowsOf(app);
    const refused = await register(client, { credential: newAuthenticator().create(options) });
    expectProblem(refused, 409, 'too_many_passkeys');
    expect(await rowsOf(app)).toBe(before);
    const again = await client.send('POST', '/auth/passkeys/registration/options', {}, client.bearer);
    expectProblem(again, 409, 'too_many_passkeys');
    const [{ id: oldest }] = (await client.get('/auth/passkeys')).body;
    expect((await client.send('DELETE', `/auth/passkeys/${oldest}`, undefined, client.bearer)).status).toBe(204);
    await addPasskey(client);
    expect(await passkeyRows(app, id)).toHaveLength(20);
  });
});

describe('a passkey', () => {
  test('is renamed by its user', async () => {
    const { client, id } = await signedIn();
    const { id: passkey } = await addPasskey(client);
    const path = `/auth/passkeys/${passkey}`;
    const renamed = await client.send('PATCH', path, { name: 'Key in the safe' }, client.bearer);
    expect([renamed.status, renamed.body]).toMatchObject([200, { id: passkey, name: 'Key in the safe' }]);
    expect((await client.get('/auth/passkeys')).body).toEqual([renamed.body]);
    expectProblem(await client.send('PATCH', path, { name: '' }, client.bearer), 400, 'validation_failed');
    expectProblem(await client.send('PATCH', path, {}, client.bearer), 400, 'validation_failed');
    const other = await signedIn();
    for (const [at, where] of [
      [other.client, path],
      [client, '/auth/passkeys/not-an-id'],
      [client, `/auth/passkeys/${crypto.randomUUID()}`],
    ] as const)
      expectProblem(await at.send('PATCH', where, { name: 'x' }, at.bearer), 404, 'passkey_not_found');
    expect(await passkeyRows(app, id)).toMatchObject([{ name: 'Key in the safe' }]);
    await app.auth.sessions.revokeAll(id);
    expect((await client.send('PATCH', path, { name: 'x' }, client.bearer)).body.code).toBe('token_not_valid');
    expect((await client.get('/auth/passkeys')).body.code).toBe('token_not_valid');
  });

  test('is removed by its user, from a fresh session, with an event and a mail', async () => {
    const { client, id, email } = await signedIn();
    const { id: passkey } = await addPasskey(client);
    app.clock.advance(1);
    const path = `/auth/passkeys/${passkey}`;
    const other = await signedIn();
    for (const [at, where] of [
      [other.client, path],
      [client, '/auth/passkeys/not-an-id'],
      [client, `/auth/passkeys/${crypto.randomUUID()}`],
    ] as const)
      expectProblem(await at.send('DELETE', where, undefined, at.bearer), 404, 'passkey_not_found');
    expect((await client.send('DELETE', path, undefined, client.bearer)).status).toBe(204);
    expect(await passkeyRows(app, id)).toEqual([]);
    expect((await client.get('/auth/mfa')).body.passkeys).toBe(0);
    expect(await eventsOf(id)).toEqual([
      ['passkey.added', { passkey }],
      ['passkey.removed', { passkey, by: 'user' }],
    ]);
    const subjects = (await app.mailsTo(email, 2)).map(({ subject }) => subject);
    expect(subjects).toEqual(['A passkey was added to your account', 'A passkey was removed from your account']);
  });

  test('is not removed from a session that is not fresh', async () => {
    const { client, id } = await signedIn();
    const { id: passkey } = await addPasskey(client);
    app.clock.advance(601);
    const { status, body } = await client.send('DELETE', `/auth/passkeys/${passkey}`, undefined, client.bearer);
    expect([status, body.code]).toEqual([401, 'reauthentication_required']);
    expect(await passkeyRows(app, id)).toHaveLength(1);
  });

  test('ends with its user', async () => {
    const { id } = await createPasskeyOwner(app);
    await app.database.pool.query('delete from app_user where id = $1', [id]);
    expect(await passkeyRows(app, id)).toEqual([]);
  });
});
