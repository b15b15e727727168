import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import type { MailApp, PageAnswer } from '../../support/mail-app.js';
import { claimsOf } from '../../support/race.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';
import { challenged, createTotpMailApp, enrol, verify } from '../../support/totp-app.js';
import { until } from '../../support/until.js';

const OWN = 'owner@example.com';
const THIEF = 'thief@example.com';
const NEW = 'a password that only the owner of the mailbox knows';

let app: MailApp;
/** A session of the owner, which a thief who knows the password has taken over. */
let session: TestClient;
let user: string;
beforeEach(async () => {
  app = await createTotpMailApp({ auditLog: true });
  session = await app.signedUp(OWN);
  user = claimsOf(session.access).sub;
});
afterEach(() => app.close());

const mailsTo = (email: string, subject: string) =>
  app.sink.mails.filter((mail) => [mail.to].flat()[0]?.text === email && mail.subject === subject);
const mailTo = async (email: string, subject: string) => {
  await until(() => mailsTo(email, subject).length > 0);
  return mailsTo(email, subject).at(-1);
};
const linkIn = async (email: string, subject: string) =>
  /http:\S+/.exec((await mailTo(email, subject))?.text ?? '')?.[0];

/** Changes the address to that of the thief. */
async function changeAddress(): Promise<void> {
  const body = { email: THIEF, password: PASSWORD };
  expect((await session.send('POST', '/auth/email/change', body, session.bearer)).status).toBe(202);
  expect((await app.open((await linkIn(THIEF, 'Confirm your new e-mail address')) ?? '')).status).toBe(200);
}

const cookieOf = ({ cookies }: PageAnswer, name: string) => cookies.get(name)?.split(';')[0] ?? '';

/** Undoes the change with the link that the old address got. @returns the cookie for a new password */
async function undo(): Promise<string> {
  const opened = await app.open((await linkIn(OWN, 'Your e-mail address was changed')) ?? '');
  const cookie = cookieOf(opened, 'email_undo_access_token');
  const done = await app.open(`${app.url}/auth/email/undo-form`, { method: 'POST', headers: { cookie } });
  expect(done.status).toBe(200);
  return cookieOf(done, 'password_reset_access_token');
}

const setPassword = (cookie: string) =>
  app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie });

/** The names of the factors, and the number of stored secrets. */
const factors = async () => {
  const sql = `select second_factors, (select count(*)::int from auth_totp where user_id = $1) as secrets
    from auth_account where user_id = $1`;
  const { rows } = await app.database.pool.query(sql, [user]);
  return [rows[0].second_factors, rows[0].secrets];
};
const audited = async (event: string) => {
  const sql = 'select details from auth_audit_event where event = $1 and user_id = $2';
  const { rows } = await app.database.pool.query(sql, [event, user]);
  return rows.map(({ details }) => details);
};

describe('the undo of a changed address', () => {
  test('removes the factor that a thief has set up since the change', async () => {
    await changeAddress();
    const { next } = await enrol(app, session);
    const challenge = await challenged(app, THIEF);

    const cookie = await undo();

    expect(await factors()).toEqual([[], 0]);
    expect(await audited('mfa.disabled')).toEqual([{ method: 'totp', by: 'mailbox-owner' }]);
    expect(await audited('mfa.recovery-codes-removed')).toEqual([]);
    await mailTo(OWN, 'The second factor was removed from your account');
    expect(mailsTo(THIEF, 'The second factor was removed from your account')).toEqual([]);
    expectProblem(await verify(app.client(), { challenge, code: next() }), 401, 'challenge_not_valid');
    expectProblem(await session.refresh(), 401, 'token_not_valid');

    const { status, body } = await setPassword(cookie);
    expect([status, claimsOf(body.access).amr]).toEqual([200, ['mail', 'pwd']]);
    expect((await app.client().login(OWN, NEW)).status).toBe(200);
  });

  test('keeps a factor that replaces an older one after the change: the old mailbox alone must not get in', async () => {
    await enrol(app, session);
    app.clock.advance(30);
    await changeAddress();
    await session.refresh(); // the session of a set-up has the second factor
    expect((await session.send('DELETE', '/auth/mfa/totp', undefined, session.bearer)).status).toBe(204);
    app.clock.advance(30);
    const { next } = await enrol(app, session);

    const { status, body } = await setPassword(await undo());

    expect([status, body.code, body.access]).toEqual([401, 'second_factor_required', undefined]);
    expect(await factors()).toEqual([['totp'], 1]);
    expect(await audited('mfa.disabled')).toEqual([{ method: 'totp', by: 'user' }]);
    expect((await verify(app.client(), { challenge: body.challenge, code: next() })).status).toBe(200);
  });

  test('removes a secret that waits for its first code', async () => {
    await changeAddress();
    expect((await session.send('POST', '/auth/mfa/totp/setup', {}, session.bearer)).status).toBe(200);
    await undo();
    expect(await factors()).toEqual([[], 0]);
    expect(await audited('mfa.disabled')).toEqual([]);
  });

  test('keeps an older factor: the old mailbox alone does not remove it', async () => {
    const { next, recoveryCodes } = await enrol(app, session);
    app.clock.advance(1);
    await changeAddress();

    const { status, body } = await setPassword(await undo());

    expect([status, body.code, body.methods]).toEqual([401, 'second_factor_required', ['totp', 'recovery_code']]);
    expect(await factors()).toEqual([['totp'], 1]);
    expect(await audited('mfa.disabled')).toEqual([]);
    expect(await audited('mfa.recovery-codes-removed')).toEqual([]);
    expect((await verify(app.client(), { challenge: body.challenge, code: next() })).status).toBe(200);
    const [recoveryCode = ''] = recoveryCodes;
    const challenge = await challenged(app, OWN, NEW);
    expect((await verify(app.client(), { challenge, recoveryCode })).status).toBe(200);
  });

  test('removes only the recovery codes of an older factor if they are newer than the change', async () => {
    const { next } = await enrol(app, session);
    app.clock.advance(1);
    await changeAddress();
    await session.refresh();
    const renewed = await session.send('POST', '/auth/mfa/recovery-codes', undefined, session.bearer);
    const [recoveryCode = ''] = renewed.body.recoveryCodes;

    const { body } = await setPassword(await undo());

    expect(body).toMatchObject({ code: 'second_factor_required', methods: ['totp'] });
    expect(await factors()).toEqual([['totp'], 1]);
    expect(await audited('mfa.disabled')).toEqual([]);
    expect(await audited('mfa.recovery-codes-removed')).toEqual([{}]);
    await mailTo(OWN, 'Your recovery codes were removed');
    expect(mailsTo(THIEF, 'Your recovery codes were removed')).toEqual([]);
    const { challenge } = body;
    expectProblem(await verify(app.client(), { challenge, recoveryCode }), 401, 'challenge_not_valid');
    expect((await verify(app.client(), { challenge, code: next() })).status).toBe(200);
  });

  test('keeps a factor of an earlier version of the library, which has no time', async () => {
    await enrol(app, session);
    await app.database.pool.query('update auth_totp set confirmed_at = null, recovery_codes_at = null');
    await changeAddress();
    await undo();
    expect(await factors()).toEqual([['totp'], 1]);
    expect(await app.auth.mfa.reset(user)).toBe(true);
    expect(await factors()).toEqual([[], 0]);
  });
});
