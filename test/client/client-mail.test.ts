import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { mailMethods } from '../../src/client/mail-methods.js';
import { memoryStore } from '../../src/client/store.js';
import { ClientNetwork } from '../support/client-network.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';

const EMAIL = 'client@example.com';
const NEW = 'a new sentence of some length';

describe.each([
  ['cookies', true],
  ['bodies', false],
])('accounts by mail through a client with refresh tokens in %s', (_, refreshTokenAsCookie) => {
  let app: MailApp;
  let network: ClientNetwork;
  let client: AuthClient & ReturnType<typeof mailMethods>;

  beforeEach(async () => {
    app = await createMailApp({ refreshTokenAsCookie, emailVerification: 'mandatory', invitations: true });
    network = new ClientNetwork();
    const store = refreshTokenAsCookie ? undefined : memoryStore();
    const options = { url: `${app.url}/auth`, fetch: network.fetch, ...(store && { store }) };
    client = new AuthClient(options).extend(mailMethods);
  });
  afterEach(() => app.close());

  /** Opens a link in the browser of the client. */
  async function open(link: string): Promise<void> {
    await network.fetch(new Request(link, { redirect: 'manual', credentials: 'include' }));
  }

  test('users sign up, confirm the address, and can request the mail again', async () => {
    expect(await client.register({ email: EMAIL, password: PASSWORD })).toBe('confirmation-mailed');
    expect(client.state.status).toBe('unknown');
    await expect(client.login({ email: EMAIL, password: PASSWORD })).rejects.toMatchObject({
      code: 'email_not_verified',
    });
    await client.resendVerification({ email: EMAIL });
    await open(await app.linkTo(EMAIL, 2));
    expect(await client.login({ email: EMAIL, password: PASSWORD })).toMatchObject({
      status: 'signed-in',
      claims: { email_verified: true },
    });
  });

  test('users reset the password, and sign in with the new one', async () => {
    await client.register({ email: EMAIL, password: PASSWORD });
    await open(await app.linkTo(EMAIL));
    await client.requestPasswordReset({ email: EMAIL });
    await open(await app.linkTo(EMAIL, 2));
    await client.resetPassword({ newPassword: NEW });
    expect((await client.getUser()).email).toBe(EMAIL);
    await expect(client.resetPassword({ newPassword: NEW })).rejects.toMatchObject({ code: 'token_not_valid' });
    expect(client.state.status).toBe('signed-in');
  });

  test('users change the address, invite others and accept an invitation', async () => {
    await client.register({ email: EMAIL, password: PASSWORD });
    await open(await app.linkTo(EMAIL));
    await app.database.pool.query('update app_user set role = 1000');
    await client.login({ email: EMAIL, password: PASSWORD });
    await client.changeEmail({ email: 'new@example.com', password: PASSWORD });
    await open(await app.linkTo('new@example.com'));
    expect((await client.getUser()).email).toBe('new@example.com');

    await client.invite({ email: 'guest@example.com', role: 0, firstName: 'Guest' });
    await open(await app.linkTo('guest@example.com'));
    await client.acceptInvitation({ newPassword: NEW });
    expect(await client.getUser()).toMatchObject({ email: 'guest@example.com', firstName: 'Guest', role: 0 });
  });
});
