import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProvider, type TestProvider } from '../../../src/features/social/testing/index.js';
import type { MailApp } from '../../support/mail-app.js';
import { startServerProcess } from '../../support/server-process.js';
import { createSocialApp, linksOf, SocialBrowser, trusted } from '../../support/social-app.js';
import { SECRET } from '../../support/test-app.js';

const ROUNDS = 200;
const HOME = 'http://accounts.test/';

let provider: TestProvider;
let app: MailApp;
const servers: Awaited<ReturnType<typeof startServerProcess>>[] = [];

beforeAll(async () => {
  provider = await startTestProvider();
  app = await createSocialApp({ providers: [trusted(provider)] });
  const settings = {
    secretKey: SECRET,
    encryptionKeys: app.auth.settings.encryptionKeys,
    development: true,
    publicUrl: HOME,
    emailVerification: 'optional',
    socialRateLimit: 'off',
    registrationRateLimit: 'off',
    socialProviders: [provider.settings({ id: 'test', trustEmail: true })],
  } as const;
  for (let each = 0; each < 2; each++)
    servers.push(await startServerProcess(app.database.appUrl, settings, { hasProviders: true }));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await app.close();
  await provider.close();
});

test(`parallel first sign-ins of one account on two processes make one user and one connection, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const user = { sub: `race-${round}`, email: `race${round}@example.com` };
    provider.signInAs(user);
    const browsers = [0, 1, 2, 3].map((at) => new SocialBrowser({ ...app, url: servers[at % 2]?.url ?? '' }));
    const callbacks = await Promise.all(browsers.map(async (browser) => browser.visit(await browser.start())));
    const landings = await Promise.all(
      browsers.map((browser, at) => browser.open(callbacks[at]?.pathname + (callbacks[at]?.search ?? ''))),
    );
    const outcomes = landings.map(({ status, location }) => `${status} ${location}`);
    expect([round, ...outcomes]).toEqual([round, ...browsers.map(() => `303 ${HOME}`)]);
    const { rows } = await app.database.pool.query('select id from app_user where email = $1', [user.email]);
    const links = (await linksOf(app)).filter(({ sub }) => sub === user.sub);
    expect([round, rows.length, links.length]).toEqual([round, 1, 1]);
  }
});
