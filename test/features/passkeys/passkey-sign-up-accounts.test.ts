import { afterEach, describe, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import type { SoftwareAuthenticator } from '../../../src/features/passkeys/testing/index.js';
import type { SettingsInput } from '../../../src/index.js';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp } from '../../support/mail-app.js';
import { askOptions, signUpWithPasskey, userWith } from '../../support/passkey-sign-ups.js';
import { addPasskey, createPasskeysApp, passkeyRows, sessionFor, signIn } from '../../support/passkeys-app.js';
import { createPerson } from '../../support/person.js';
import { claimsOf } from '../../support/race.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

const VICTIM = 'victim@example.com';
const NEW = 'a new sentence of some length';

let app: MailApp;
afterEach(() => app.close());
const start = async (settings: SettingsInput) => {
  app = await createPasskeysApp({ auditLog: true, ...settings }, { modules: [magicLinkModule] });
};

/** Opens the link in the latest mail to the victim that has this text in it. */
async function openLink(part: string) {
  return app.open(await linkWith(part));
}
async function linkWith(part: string): Promise<string> {
  const found = () =>
    app.sink.mails
      .filter((mail) => [mail.to].flat().some((to) => to?.text === VICTIM))
      .map(({ text }) => /http:\S+/.exec(text ?? '')?.[0] ?? '')
      .findLast((link) => link.includes(part));
  for (let count = 1; !found(); count++) await app.mailsTo(VICTIM, count);
  return found() as string;
}

/** Sets a new password by mail. */
async function reset() {
  await app.client().send('POST', '/auth/password/reset', { email: VICTIM });
  const cookie = (await openLink('/password/reset/')).cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
  return app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });
}

/** Signs in by a mailed code. */
async function signInByMail() {
  const { body } = await app.client().send('POST', '/auth/magic-link', { email: VICTIM });
  await linkWith('/magic-link/');
  const mail = app.sink.mails.findLast(({ text }) => text?.includes('/magic-link/'));
  const [, code] = /: (\d{6})\b/.exec(mail?.text ?? '') ?? [];
  return app.client().send('POST', '/auth/magic-link/verify', { request: body.request, code });
}

/** Checks that a stranger has lost every access to the account of the victim. */
async function expectGone(stranger: TestClient, authenticator: SoftwareAuthenticator) {
  expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
  expect((await stranger.refresh()).status).not.toBe(200);
  const user = await userWith(app, VICTIM);
  expect(await passkeyRows(app, user.id)).toEqual([]);
  expect((await app.database.pool.query('select second_factors from auth_account')).rows).toEqual([
    { second_factors: [] },
  ]);
}

describe('a stranger who signs up with the address of another person, under EMAIL_VERIFICATION=optional,', () => {
  const prepare = async () => {
    await start({ emailVerification: 'optional' });
    const { client, authenticator } = await signUpWithPasskey(app, { email: VICTIM });
    return [client, authenticator] as const;
  };

  test('loses the account when the owner of the mailbox sets a password by mail', async () => {
    const [stranger, authenticator] = await prepare();
    expect((await reset()).status).toBe(200);
    await expectGone(stranger, authenticator);
    expect((await app.client().login(VICTIM, NEW)).status).toBe(200);
    expect(await userWith(app, VICTIM)).toMatchObject({ email_verified: true });
  });

  test('loses it at a reset also after the link of the sign-up was opened, such as by a mail scanner', async () => {
    const [stranger, authenticator] = await prepare();
    expect((await openLink('/registration/verification/')).status).toBe(200);
    expect((await signIn(app.client(), authenticator)).status).toBe(200); // confirmed, as a sign-up with a password
    expect((await reset()).status).toBe(200);
    await expectGone(stranger, authenticator);
  });

  test('loses it when the owner signs in by mail', async () => {
    const [stranger, authenticator] = await prepare();
    const answer = await signInByMail();
    expect(answer.status).toBe(200);
    await expectGone(stranger, authenticator);
    expect(claimsOf(answer.body.access)).toMatchObject({ amr: ['mail'], email_verified: true });
  });

  test('loses a passkey that was added later as well', async () => {
    const [stranger, authenticator] = await prepare();
    const second = await addPasskey(stranger);
    expect((await signInByMail()).status).toBe(200);
    await expectGone(stranger, authenticator);
    expectProblem(await signIn(app.client(), second.authenticator), 401, 'passkey_not_valid');
  });
});

describe('a stranger who signs up with the address of another person, under EMAIL_VERIFICATION=mandatory,', () => {
  const prepare = async (settings: SettingsInput = {}) => {
    await start({ emailVerification: 'mandatory', ...settings });
    const { authenticator } = await signUpWithPasskey(app, { email: VICTIM });
    const link = await app.linkTo(VICTIM);
    return { authenticator, link };
  };
  const lostPasskey = async (authenticator: SoftwareAuthenticator, link: string, passkeys: number) => {
    expect((await app.open(link)).status).toBe(400);
    expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
    const user = await userWith(app, VICTIM);
    expect(await passkeyRows(app, user.id)).toHaveLength(passkeys);
  };

  test('does not block the sign-up of the owner with a password, whose confirmation voids the passkey', async () => {
    const { authenticator, link } = await prepare();
    expect((await app.client().register(VICTIM, NEW)).status).toBe(201);
    expect((await app.open(await app.linkTo(VICTIM, 2))).status).toBe(200);
    await lostPasskey(authenticator, link, 0);
    expect((await app.client().login(VICTIM, NEW)).status).toBe(200);
  });

  test('does not block the sign-up of the owner with a passkey', async () => {
    const { authenticator, link } = await prepare();
    const own = await signUpWithPasskey(app, { email: VICTIM });
    expect((await app.open(await app.linkTo(VICTIM, 2))).status).toBe(200);
    await lostPasskey(authenticator, link, 1);
    expect((await signIn(app.client(), own.authenticator)).status).toBe(200);
  });

  test('does not block an invitation, which voids the passkey', async () => {
    const { authenticator, link } = await prepare({ invitations: true });
    const staff = await sessionFor(app, (await createPerson(app, { role: 1000 })).id);
    const invitation = { email: VICTIM, role: 0 };
    const invited = await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
    expect(invited.status).toBe(201);
    expect((await app.open(link)).status).toBe(400);
    const { cookies } = await openLink('/set-password/').catch(() => openLink('/registration/'));
    const cookie = cookies.get('set_password_access_token')?.split(';')[0] ?? '';
    const set = await app.client().send('POST', '/auth/registration/set-password', { newPassword: NEW }, { cookie });
    expect(set.status).toBe(200);
    await lostPasskey(authenticator, link, 0);
  });

  test('has no account when a password is reset or a mailed code is asked for', async () => {
    const { link, authenticator } = await prepare();
    for (const path of ['/auth/password/reset', '/auth/magic-link'])
      expect((await app.client().send('POST', path, { email: VICTIM })).status).toBe(202);
    await app.mailCount();
    expect(await userWith(app, VICTIM)).toBeUndefined();
    expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
    expect(link).toContain('/registration/verification/');
  });

  test('loses the account at a reset after the link of the sign-up was opened, such as by a mail scanner', async () => {
    const { link, authenticator } = await prepare();
    expect((await app.open(link)).status).toBe(200);
    const client = app.client();
    expect((await signIn(client, authenticator)).status).toBe(200);
    expect((await reset()).status).toBe(200);
    await expectGone(client, authenticator);
    expect((await app.client().login(VICTIM, NEW)).status).toBe(200);
  });
});

describe('an address', () => {
  test('with an open invitation is taken, and is free once the invitation has expired', async () => {
    await start({ emailVerification: 'optional', invitations: true });
    const staff = await sessionFor(app, (await createPerson(app, { role: 1000 })).id);
    await staff.send('POST', '/auth/registration/user-register', { email: VICTIM, role: 700 }, staff.bearer);
    const invited = await userWith(app, VICTIM);
    expectProblem(await askOptions(app.client(), { email: VICTIM }), 409, 'email_already_registered');
    app.clock.advance('8d'); // INVITATION_LIFETIME is 7d
    const { answer } = await signUpWithPasskey(app, { email: VICTIM });
    expect(answer.status).toBe(201);
    const user = await userWith(app, VICTIM);
    expect([user.role, user.id === invited.id]).toEqual([0, false]);
  });

  test('of an unconfirmed sign-up with a password is taken, under EMAIL_VERIFICATION=optional', async () => {
    await start({ emailVerification: 'optional' });
    await app.client().register(VICTIM);
    expectProblem(await askOptions(app.client(), { email: VICTIM }), 409, 'email_already_registered');
  });
});

describe('a user who has signed up with a passkey only', () => {
  const prepare = async (emailVerification: 'none' | 'optional' | 'mandatory' = 'mandatory') => {
    await start({ emailVerification });
    const { authenticator, client } = await signUpWithPasskey(app, { email: VICTIM });
    if (emailVerification !== 'mandatory') return { authenticator, client };
    await app.open(await app.linkTo(VICTIM));
    await signIn(client, authenticator);
    return { authenticator, client };
  };

  test('gets into the account by a password reset without the passkey, and then has a password', async () => {
    const { authenticator } = await prepare();
    const answer = await reset();
    expect([answer.status, claimsOf(answer.body.access).amr]).toEqual([200, ['mail', 'pwd']]);
    expect((await app.client().login(VICTIM, NEW)).status).toBe(200);
    // The passkey is as old as the account, so it may be that of a stranger.
    expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
    const subjects = (await app.mailsTo(VICTIM, 4)).map(({ subject }) => subject);
    expect(subjects).toContain('A passkey was removed from your account');
  });

  test('keeps a passkey that was added after the confirmation, also at a reset', async () => {
    const { authenticator, client } = await prepare();
    const later = await addPasskey(client);
    expect((await reset()).status).toBe(200);
    expectProblem(await signIn(app.client(), authenticator), 401, 'passkey_not_valid');
    expect((await signIn(app.client(), later.authenticator)).status).toBe(200);
  });

  test('gets in by a mailed code, and keeps the passkey', async () => {
    const { authenticator } = await prepare();
    expect((await signInByMail()).status).toBe(200);
    expect((await signIn(app.client(), authenticator)).status).toBe(200);
  });

  test.each(['none', 'optional', 'mandatory'] as const)(
    'adds a password in a fresh session, under EMAIL_VERIFICATION=%s',
    async (emailVerification) => {
      const { client, authenticator } = await prepare(emailVerification);
      app.clock.advance(601);
      const stale = await client.send('POST', '/auth/password/change', { newPassword: NEW }, client.bearer);
      expect([stale.status, stale.body.code]).toEqual([401, 'reauthentication_required']);
      await signIn(client, authenticator);
      const changed = await client.send('POST', '/auth/password/change', { newPassword: NEW }, client.bearer);
      expect(changed.status).toBe(200);
      expect((await app.client().login(VICTIM, NEW)).status).toBe(200);
      expect((await signIn(app.client(), authenticator)).status).toBe(200);
    },
  );

  test('deletes the account in a fresh session, with the passkey', async () => {
    const { client, authenticator } = await prepare();
    app.clock.advance(601);
    const stale = await client.send('DELETE', '/auth/user', {}, client.bearer);
    expect([stale.status, stale.body.code]).toEqual([401, 'reauthentication_required']);
    await signIn(client, authenticator);
    expect((await client.send('DELETE', '/auth/user', {}, client.bearer)).status).toBe(204);
    expect(await userWith(app, VICTIM)).toBeUndefined();
    expect((await app.database.pool.query('select 1 from auth_passkey')).rows).toEqual([]);
    expect((await signUpWithPasskey(app, { email: VICTIM })).answer.status).toBe(201);
  });

  test('changes the address in a fresh session, and keeps the passkey', async () => {
    const { client, authenticator } = await prepare();
    const email = 'new@example.com';
    expect((await client.send('POST', '/auth/email/change', { email }, client.bearer)).status).toBe(202);
    expect((await app.open(await app.linkTo(email))).status).toBe(200);
    const back = app.client();
    expect((await signIn(back, authenticator)).status).toBe(200);
    expect((await back.get('/auth/user')).body).toMatchObject({ email, emailVerified: true });
    expectProblem(await app.client().login(email, PASSWORD), 401, 'incorrect_credentials');
  });
});
