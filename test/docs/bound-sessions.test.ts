import { BodyParam, HttpError, JsonController, Post, Req, Res } from 'routing-controllers';
import { Service } from 'typedi';
import { afterEach, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { memoryKeys } from '../../src/client/keys.js';
import { FromOwnOrigin, type HttpRequest, type HttpResponse } from '../../src/index.js';
import { ClientNetwork } from '../support/client-network.js';
import { importSnippet } from '../support/documented-snippet.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const EMAIL = 'ada@example.com';

let app: TestApp;
afterEach(() => app.close());

/** The keys of the live sessions, newest first. */
async function keys(): Promise<(string | null)[]> {
  const { rows } = await app.database.pool.query(
    'select key_thumbprint from auth_session where enabled order by created_at desc, id',
  );
  return rows.map((row: { key_thumbprint: string | null }) => row.key_thumbprint);
}

const KEY = expect.stringMatching(/^[\w-]{43}$/);

test('the script that makes a proof signs in, refreshes, and makes a proof with the nonce for a wrong clock', async () => {
  const { proofFor } = await importSnippet('src/proof.ts');
  app = await createTestApp();
  const client = await app.signedUp(EMAIL);
  const [login, refresh] = [`${app.url}/auth/login`, `${app.url}/auth/refresh`];
  expect((await client.login(EMAIL, PASSWORD, { dpop: proofFor('POST', login) })).status).toBe(200);
  expect(await keys()).toContainEqual(KEY);
  expect((await client.refresh()).body['reason']).toBe('proof-missing');
  const dpop = proofFor('POST', refresh);
  expect((await client.refresh({ dpop })).status).toBe(200);
  expect((await client.refresh({ dpop })).body['reason']).toBe('proof-replayed');
  app.clock.advance('2h');
  const refused = await client.refresh({ dpop: proofFor('POST', refresh) });
  expect(refused.body.code).toBe('use_dpop_nonce');
  const nonce = refused.headers.get('dpop-nonce');
  expect((await client.refresh({ dpop: proofFor('POST', refresh, nonce) })).status).toBe(200);
});

test('a page signs in by a route of the app below the url of the client, with a proof', async () => {
  const { signInWithTicket } = await importSnippet('src/ticket-page.ts');
  @Service()
  @JsonController('/auth/tickets')
  class TicketController {
    @FromOwnOrigin()
    @Post('/sign-in')
    async signIn(@BodyParam('ticket') ticket: string, @Req() request: HttpRequest, @Res() response: HttpResponse) {
      const client = app.auth.clientOf(request);
      if (ticket !== 'right') throw new HttpError(401, 'The ticket is not valid.');
      const { rows } = await app.database.pool.query('select id from app_user where email = $1', [EMAIL]);
      const tokens = await app.auth.signIn({ id: String(rows[0].id) }, { method: 'ticket', client });
      return app.auth.deliver(request, response, tokens);
    }
  }
  app = await createTestApp({ controllers: [TicketController] });
  await (await app.signedUp(EMAIL)).logout();
  const { fetch } = new ClientNetwork();
  const auth = new AuthClient({ url: `${app.url}/auth`, fetch, keys: memoryKeys() });
  await expect(signInWithTicket(auth, 'wrong')).rejects.toMatchObject({ status: 401 });
  expect([await keys(), auth.state.status]).toEqual([[], 'unknown']);
  await signInWithTicket(auth, 'right');
  expect(auth.state).toMatchObject({ status: 'signed-in', claims: { amr: ['ticket'], cnf: { jkt: KEY } } });
  expect(await keys()).toEqual([KEY]);
  expect(await auth.refresh()).toMatchObject({ status: 'signed-in' });
  auth.close();
});

test('the client for tests binds its session, at whatever time the clock of the app is', async () => {
  const { newClient } = await importSnippet('src/test-client.ts');
  app = await createTestApp({ settings: { refreshTokenTransport: 'both', accessTokenBinding: true } });
  const client: AuthClient = newClient(app.url);
  await client.register({ email: EMAIL, password: PASSWORD });
  app.clock.advance('10m');
  expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
  expect((await client.getUser()).email).toBe(EMAIL);
  expect(await keys()).toEqual([KEY]);
});
