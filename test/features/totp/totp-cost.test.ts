import { expect, test } from 'vitest';
import { countQueries } from '../../support/query-count.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { createTotpApp } from '../../support/totp-app.js';

/** The statements of a sign-in and of a refresh of a user without a second factor, as the driver gets them. */
async function statements(app: TestApp): Promise<Record<string, string[]>> {
  const client = await app.signedUp('cost@example.com');
  await client.login('cost@example.com'); // the first one is not typical: it prepares statements and marks the network
  const texts = async (work: () => Promise<unknown>) =>
    (await countQueries(app.orm, work)).map((text) => text.replace(/\s+/g, ' ').trim());
  const login = await texts(() => client.login('cost@example.com'));
  const refresh = await texts(() => client.refresh());
  return { login, refresh };
}

test('a sign-in and a refresh of a user without a second factor send the same statements as without the module', async () => {
  const [without, optional] = [await createTestApp(), await createTotpApp()];
  const [expected, actual] = [await statements(without), await statements(optional)];
  expect(expected['login']?.length).toBeGreaterThan(0);
  expect(actual).toEqual(expected);
  for (const app of [without, optional]) await app.close();
});
