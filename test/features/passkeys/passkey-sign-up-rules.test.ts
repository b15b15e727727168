import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { IsString, MaxLength, Validate, ValidatorConstraint } from 'class-validator';
import { afterEach, describe, expect, test } from 'vitest';
import { passkeysModule } from '../../../src/features/passkeys/index.js';
import { totpModule } from '../../../src/features/totp/index.js';
import {
  type AuthHooks,
  BaseUser,
  createAuthEntities,
  JwtAllauthError,
  RegistrationInput,
  type SettingsInput,
} from '../../../src/index.js';
import { createOpenApiDocument } from '../../../src/openapi/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { askOptions, sendSignUp, signUpOptions, signUpWithPasskey, userWith } from '../../support/passkey-sign-ups.js';
import { createPasskeysApp, newAuthenticator, passkeyRows, rowsOf } from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import type { TestAppOptions } from '../../support/test-app.js';

const ADA = 'ada@example.com';
const MODES = ['none', 'optional', 'mandatory'] as const;

let app: MailApp;
afterEach(() => app.close());
const start = async (settings: SettingsInput = {}, options: TestAppOptions = {}) => {
  app = await createPasskeysApp(settings, options);
};

const documentOf = ({ auth }: MailApp) =>
  createOpenApiDocument(auth, auth.serverOptions(), { info: { title: 'Test', version: '1' } });

/** A user with columns of the app. */
@Entity({ tableName: 'app_user' })
class MemberUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 80, default: '' })
  company: string = '';
}

/** A rule that waits for something. */
@ValidatorConstraint({ async: true })
class IsFree {
  validate = async (value: unknown) => value !== 'Acme';
  defaultMessage = () => 'is taken';
}

class MemberInput extends RegistrationInput {
  @IsString()
  @MaxLength(80)
  @Validate(IsFree)
  company!: string;
}

const MEMBERS: TestAppOptions = {
  user: MemberUser,
  orm: {
    entities: [MemberUser, ...createAuthEntities({ user: () => MemberUser, modules: [passkeysModule, totpModule] })],
  },
  auth: { inputs: { registration: MemberInput } },
};

describe('the fields of a sign-up with a passkey', () => {
  const fieldsOf = ({ body }: { body: { errors: { field: string }[] } }) => body.errors.map(({ field }) => field);

  test.each(MODES)(
    'include those of the app and no password, under EMAIL_VERIFICATION=%s',
    async (emailVerification) => {
      await start({ emailVerification }, MEMBERS);
      const { answer } = await signUpWithPasskey(app, { email: ADA, company: 'Engines' });
      expect(answer.status).toBe(201);
      if (emailVerification === 'mandatory') await app.open(await app.linkTo(ADA));
      const user = await userWith(app, ADA);
      expect(user).toMatchObject({ company: 'Engines', password_hash: null });
      expect(await passkeyRows(app, user.id)).toHaveLength(1);
    },
  );

  test.each([
    ['no address', { email: undefined }, 'email'],
    ['something that is no address', { email: 'ada' }, 'email'],
    ['a password', { password: 'a sentence of some length' }, 'password'],
    ['a password without a value', { password: null }, 'password'],
    ['an unknown field', { role: 1000 }, 'role'],
    ['no field of the app', { company: undefined }, 'company'],
    ['a field of the app that its own rule refuses', { company: 'Acme' }, 'company'],
    ['a name with a control character', { firstName: 'A\u0007' }, 'firstName'],
  ])('are refused with %s, already for the options', async (_what, fault, field) => {
    await start({}, MEMBERS);
    const account = { email: ADA, company: 'Engines' };
    const credential = newAuthenticator().create(await signUpOptions(app.client(), account));
    const before = await rowsOf(app);
    for (const refused of [
      await askOptions(app.client(), { ...account, ...fault }),
      await sendSignUp(app.client(), { ...account, credential, ...fault }),
    ]) {
      expectProblem(refused, 400, 'validation_failed');
      expect(fieldsOf(refused)).toEqual([field]);
    }
    expect(await rowsOf(app)).toBe(before);
  });

  test('are refused without a credential, and for the options with one', async () => {
    await start();
    for (const credential of [undefined, 'text', [], null]) {
      const refused = await sendSignUp(app.client(), { email: ADA, credential });
      expectProblem(refused, 400, 'validation_failed');
      expect(fieldsOf(refused)).toEqual(['credential']);
    }
    const refused = await askOptions(app.client(), { email: ADA, credential: {} });
    expectProblem(refused, 400, 'validation_failed');
    for (const path of ['/auth/passkeys/sign-up/options', '/auth/passkeys/sign-up']) {
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await fetch(`${app.url}${path}`, { method: 'POST', body: 'email=ada', headers: form });
      expect(answer.status).toBe(415);
    }
  });

  test('are in the OpenAPI document, with those of the app', async () => {
    await start({}, MEMBERS);
    const { paths, components } = documentOf(app) as unknown as {
      paths: Record<string, { post: { responses: Record<string, unknown> } }>;
      components: { schemas: Record<string, { properties: object; required: string[] }> };
    };
    const { AuthPasskeySignUp: signUp, AuthPasskeySignUpOptions: options } = components.schemas;
    const fields = ['email', 'firstName', 'lastName', 'company'];
    expect(Object.keys(options?.properties ?? {}).sort()).toEqual(fields.toSorted());
    expect(Object.keys(signUp?.properties ?? {}).sort()).toEqual([...fields, 'credential'].sort());
    expect([options?.required.sort(), signUp?.required.sort()]).toEqual([
      ['company', 'email'],
      ['company', 'credential', 'email'],
    ]);
    const statuses = (path: string) => Object.keys(paths[path]?.post.responses ?? {});
    expect(statuses('/auth/passkeys/sign-up')).toEqual(expect.arrayContaining(['201', '400', '409', '415', '429']));
    expect(statuses('/auth/passkeys/sign-up/options')).toEqual(expect.arrayContaining(['200', '400', '409', '429']));
  });
});

describe('a sign-up with a passkey', () => {
  test.each([
    ['ADMIN_MANAGED_REGISTRATION', { adminManagedRegistration: true, invitations: true }, {}],
    ['its routes switched off', {}, { routes: { passkeySignUp: false } }],
  ])('does not exist with %s', async (_what, settings, auth) => {
    await start(settings, { auth });
    for (const path of ['/auth/passkeys/sign-up/options', '/auth/passkeys/sign-up'])
      expect((await app.client().send('POST', path, { email: ADA })).status).toBe(404);
    expect(JSON.stringify(documentOf(app).paths)).not.toContain('/passkeys/sign-up');
    expect((await app.client().send('POST', '/auth/passkeys/login/options', {})).status).toBe(200);
  });

  test.each(MODES)(
    'counts for the limit of sign-ups when it asks for options, under EMAIL_VERIFICATION=%s',
    async (emailVerification) => {
      await start({ emailVerification, registrationRateLimit: '2/1h/ip' });
      expect((await app.client().register('first@example.com')).status).toBe(201);
      expect((await signUpWithPasskey(app, { email: ADA })).answer.status).toBe(201);
      const refused = await askOptions(app.client(), { email: 'third@example.com' });
      expectProblem(refused, 429, 'too_many_requests');
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      expectProblem(await app.client().register('fourth@example.com'), 429, 'too_many_requests');
    },
  );

  test('counts its options, also if the app does not limit sign-ups', async () => {
    await start({ passkeyRateLimit: '2/15m/ip', registrationRateLimit: 'off' });
    await createPerson(app, { email: ADA });
    for (const [status, email] of [
      [200, 'grace@example.com'],
      [409, ADA],
      [429, ADA],
    ] as const)
      expect((await askOptions(app.client(), { email })).status).toBe(status);
  });

  test('counts its responses, so that a client cannot let the server check signatures without a limit', async () => {
    await start({ passkeyRateLimit: '2/15m/ip' });
    const credential = {};
    for (const status of [400, 400, 429])
      expect((await sendSignUp(app.client(), { email: ADA, credential })).status).toBe(status);
  });

  test.each(['optional', 'mandatory'] as const)(
    'counts its mail for the mailbox and the network, under EMAIL_VERIFICATION=%s',
    async (emailVerification) => {
      await start({ emailVerification, mailRateLimit: '1/1h/ip' });
      expect((await signUpWithPasskey(app, { email: ADA })).answer.status).toBe(201);
      const { answer } = await signUpWithPasskey(app, { email: 'grace@example.com' });
      expectProblem(answer, 429, 'too_many_requests');
      expect(await userWith(app, 'grace@example.com')).toBeUndefined();
    },
  );

  test('of a browser that is signed in ends the session of its cookie', async () => {
    await start();
    const client = app.client();
    await client.register('eve@example.com');
    const credential = newAuthenticator().create(await signUpOptions(app.client(), { email: ADA }));
    const cookie = `refresh_token=${client.refreshToken}`;
    expect((await sendSignUp(app.client(), { email: ADA, credential }, { cookie })).status).toBe(201);
    expect(await app.liveSessions()).toBe(1);
    const foreign = { origin: 'https://foreign.example' };
    expectProblem(await sendSignUp(app.client(), { email: ADA, credential }, foreign), 403, 'csrf_failed');
  });

  test('sends its tokens in the body if the app does not use cookies', async () => {
    await start({ refreshTokenAsCookie: false });
    const { answer } = await signUpWithPasskey(app, { email: ADA });
    expect(answer.body).toEqual({ access: expect.any(String), refresh: expect.any(String) });
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test('of a passkey that a user has is refused in every mode', async () => {
    for (const emailVerification of MODES) {
      await start({ emailVerification });
      const { client, credential } = await passkeyOfAnother();
      const before = await rowsOf(app);
      expectProblem(await sendSignUp(client, { email: ADA, credential }), 409, 'passkey_already_registered');
      expect([await rowsOf(app), await userWith(app, ADA)]).toEqual([before, undefined]);
      expect((await app.database.pool.query('select 1 from auth_pending_sign_up')).rows).toEqual([]);
      if (emailVerification !== 'mandatory') await app.close();
    }
  });

  /** A valid response whose credential id a user has already. */
  async function passkeyOfAnother() {
    const client = app.client();
    const { id } = await createPerson(app);
    const credential = newAuthenticator().create(await signUpOptions(client, { email: ADA }));
    await app.database.pool.query(
      `insert into auth_passkey (id, user_id, credential_id, user_handle, public_key, counter, transports, aaguid, name,
        is_backup_eligible, is_backed_up, proved_email, rp_id, created_at)
      values (gen_random_uuid(), $1, $2, 'x', '', 0, '{}', gen_random_uuid(), 'x', true, true, null, 'app.test', now())`,
      [id, credential.id],
    );
    return { client, credential };
  }
});

describe('the hooks of an app', () => {
  const calls: string[] = [];
  let refused = '';
  const call = (name: string) => {
    calls.push(name);
    if (refused === name) throw new JwtAllauthError('not_today', { status: 403, detail: 'Nobody comes in today.' });
  };
  const hooks: AuthHooks = {
    beforeSignUp: ({ user }) => call(`beforeSignUp ${user.email}`),
    beforeSignIn: ({ user, amr }) => call(`beforeSignIn ${user.email} ${amr}`),
  } as AuthHooks;

  test.each([
    ['none', [`beforeSignUp ${ADA}`, `beforeSignIn ${ADA} swk,user,mfa`]],
    ['optional', [`beforeSignUp ${ADA}`, `beforeSignIn ${ADA} swk,user,mfa`]],
    ['mandatory', [`beforeSignUp ${ADA}`]],
  ] as const)(
    'run once for a sign-up under EMAIL_VERIFICATION=%s, and can refuse it',
    async (emailVerification, names) => {
      await start({ emailVerification, mailRateLimit: '1/1h/ip' }, { auth: { hooks } });
      const client = app.client();
      const credential = newAuthenticator().create(await signUpOptions(client, { email: ADA }));
      const before = await rowsOf(app);
      for (const name of names) {
        refused = name;
        expectProblem(await sendSignUp(client, { email: ADA, credential }), 403, 'not_today');
      }
      expect([await rowsOf(app), app.sink.mails]).toEqual([before, []]);
      refused = '';
      calls.length = 0;
      expectProblem(await sendSignUp(client, { email: ADA, credential: {} }), 400, 'passkey_not_valid');
      expect(calls).toEqual([]);
      expect((await sendSignUp(client, { email: ADA, credential })).status).toBe(201);
      expect(calls).toEqual(names);
      expectProblem(await sendSignUp(client, { email: ADA, credential }), 400, 'passkey_not_valid');
      expect(calls).toEqual(names); // not for a response that was used before
    },
  );
});
