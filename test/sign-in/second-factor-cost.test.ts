import { expect, test } from 'vitest';
import type { AuthModule } from '../../src/module.js';
import { codesModule, entitiesWith } from '../support/codes.module.js';
import { createPerson } from '../support/person.js';
import { countQueries } from '../support/query-count.js';
import { createTestApp } from '../support/test-app.js';

/** The statements of the sign-ins and the refresh of a user without a second factor, in an app with these modules. */
async function statements(...modules: readonly AuthModule[]): Promise<Record<string, string[]>> {
  const app = await createTestApp({ orm: { entities: entitiesWith(...modules) } });
  const { id, email } = await createPerson(app);
  const client = app.client();
  const succeed = (status: number) => expect(status).toBe(200);
  const warmUp = async () => succeed((await app.client().login(email)).status);
  await warmUp();
  const sent = {
    login: await countQueries(app.orm, async () => succeed((await client.login(email)).status)),
    refresh: await countQueries(app.orm, async () => succeed((await client.refresh()).status)),
    'auth.signIn': await countQueries(app.orm, () => app.auth.signIn({ id }, { method: 'ticket' })),
  };
  await app.close();
  return sent;
}

test('a sign-in and a refresh of a user without a second factor send no statement more than without modules', async () => {
  const without = await statements();
  expect(await statements(codesModule())).toEqual(without);
  // The refresh sends two, because the token class of the app needs the user.
  const numbers = Object.entries(without).map(([name, { length }]) => [name, length]);
  expect(Object.fromEntries(numbers)).toEqual({ login: 3, refresh: 2, 'auth.signIn': 3 });
});
