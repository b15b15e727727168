import { afterEach, describe, expect, test } from 'vitest';
import { type PasswordOwnerFacts, PasswordPolicy, SettingsError } from '../../src/index.js';
import { createOpenApiDocument } from '../../src/openapi/index.js';
import { resolveSettings } from '../../src/settings/settings.js';
import { expectProblem } from '../support/expect-problem.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { SECRET } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const NAMED = 'acme tiger lamp cloud';
const GOOD = 'tiger lamp cloud river';
const FAULT = 'must not have the name of the company';

/** The policy of an app, which waits for something before it answers. */
class CompanyPolicy extends PasswordPolicy {
  override async faults(password: string, owner: PasswordOwnerFacts) {
    const faults = await super.faults(password, owner);
    return password.includes('acme') ? [...faults, FAULT] : faults;
  }
}

let app: MailApp;
afterEach(() => app?.close());

const cookieOf = async (link: string) => [...(await app.open(link)).cookies.values()][0]?.split(';')[0] ?? '';
const refused = (field: string, ...messages: string[]) => [{ field, messages }];

describe('a password policy of the app', () => {
  test('checks the password at a sign-up, and lists its fault with the others of the body', async () => {
    app = await createMailApp({}, { auth: { services: [CompanyPolicy] } });
    const answer = await app.client().register('ada@example.com', NAMED);
    expectProblem(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual(refused('password', FAULT));
    const body = { email: 'nobody', password: NAMED };
    expect((await app.client().send('POST', '/auth/registration', body)).body.errors).toEqual([
      ...refused('email', 'must be an e-mail address', 'must be an e-mail address that mail can reach'),
      ...refused('password', FAULT),
    ]);
    const short = await app.client().register('ada@example.com', 'acme');
    expect(short.body.errors).toEqual(refused('password', 'must have at least 8 characters', FAULT));
    expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
    expect((await app.client().register('ada@example.com', GOOD)).status).toBe(201);
  });

  test('checks it at a change, a reset and an invitation', async () => {
    app = await createMailApp({ invitations: true }, { auth: { services: [CompanyPolicy] } });
    const ada = await app.signedUp('ada@example.com');
    const changed = await ada.changePassword(PASSWORD, NAMED);
    expectProblem(changed, 400, 'validation_failed');
    expect(changed.body.errors).toEqual(refused('newPassword', FAULT));
    await app.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
    await app.database.pool.query('update app_user set role = 1000');
    const invitation = { email: 'eve@example.com', role: 0 };
    await ada.send('POST', '/auth/registration/user-register', invitation, ada.bearer);
    for (const [address, path] of [
      ['ada@example.com', '/auth/password/reset/set-new'],
      ['eve@example.com', '/auth/registration/set-password'],
    ] as const) {
      const cookie = await cookieOf(await app.linkTo(address));
      const set = (newPassword: string) => app.client().send('POST', path, { newPassword }, { cookie });
      const answer = await set(NAMED);
      expectProblem(answer, 400, 'validation_failed');
      expect(answer.body.errors).toEqual(refused('newPassword', FAULT));
      expect((await set(GOOD)).status).toBe(200); // the key stays valid
    }
  });
});

describe('PASSWORD_MIN_LENGTH', () => {
  test('applies to every way to set a password, is in the form and the document, and does not affect existing passwords', async () => {
    const short = 'kV7 ñxq-z2';
    app = await createMailApp({});
    await app.client().register('ada@example.com', short);
    const { database } = app;
    const strict = await createMailApp({ passwordMinLength: 12 }, { database });
    const fault = refused('password', 'must have at least 12 characters');
    expect((await strict.client().register('eve@example.com', short)).body.errors).toEqual(fault);
    const ada = strict.client();
    expect((await ada.login('ada@example.com', short)).status).toBe(200);
    const change = await ada.changePassword(short, 'kV7 ñxq-z2e');
    expect(change.body.errors).toEqual(refused('newPassword', 'must have at least 12 characters'));
    expect((await ada.changePassword(short, 'kV7 ñxq-z2eW')).status).toBe(200);

    await strict.client().send('POST', '/auth/password/reset', { email: 'ada@example.com' });
    const mail = (await strict.mailsTo('ada@example.com', 2)).find(({ text }) => text?.includes('/password/reset/'));
    const cookie = await cookieOf(/http:\S+/.exec(mail?.text ?? '')?.[0] ?? '');
    const { html } = await strict.open(`${strict.url}/auth/password/reset/form`, { headers: { cookie } });
    expect(html).toContain('required minlength="12"');
    expect(html).toContain('At least 12 characters.');

    const info = { title: 'Test', version: '1' };
    const document = createOpenApiDocument(strict.auth, strict.auth.serverOptions(), { info });
    const schemas = document.components.schemas as Record<string, { properties: Record<string, unknown> }>;
    const expected = { type: 'string', format: 'password', minLength: 12, maxLength: 128 };
    expect(schemas['AuthRegistrationInput']?.properties['password']).toEqual(expected);
    expect(schemas['AuthPasswordChangeInput']?.properties['newPassword']).toEqual(expected);
    expect(schemas['AuthNewPasswordInput']?.properties['newPassword']).toEqual(expected);
    await strict.close();
  });

  test.each([7, '7', 8.5, 65, '', 'many'])('is refused as %s', (passwordMinLength) => {
    const given = { secretKey: SECRET, development: true, passwordMinLength: passwordMinLength as number };
    expect(() => resolveSettings(given)).toThrow(SettingsError);
  });

  test('accepts text, from 8 to 64', () => {
    const lengthOf = (passwordMinLength: number | string) =>
      resolveSettings({ secretKey: SECRET, development: true, passwordMinLength }).passwordMinLength;
    expect([lengthOf('8'), lengthOf(64)]).toEqual([8, 64]);
  });
});
