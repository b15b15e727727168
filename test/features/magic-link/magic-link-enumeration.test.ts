import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMagicLinkApp, type MagicLinkApp } from '../../support/magic-link-app.js';
import { createPerson } from '../../support/person.js';
import { countQueries } from '../../support/query-count.js';

let app: MagicLinkApp;
let emails: string[];
beforeAll(async () => {
  app = await createMagicLinkApp({ auditLog: true, mailRateLimit: '5/1h/account,50/1h/ip' });
  const people = [await createPerson(app), await createPerson(app, { isActive: false })];
  emails = [...people.map(({ email }) => email), 'nobody@example.com', 'several@example.com,mailboxes@example.com'];
  await app.ask('first@example.com'); // the first request is not typical: it prepares statements
  await app.settled();
});
afterAll(() => app.close());

const statements = async (work: () => Promise<unknown>) =>
  (await countQueries(app.orm, work)).map((text) => text.replace(/\s+/g, ' ').trim());

test('a request and a wrong code send the same statements for every address', async () => {
  const all: { asked: string[]; guessed: string[] }[] = [];
  for (const email of emails) {
    let request = '';
    const asked = await statements(async () => {
      request = (await app.ask(email)).body.request;
    });
    await app.settled();
    const guessed = await statements(() => app.verify({ request, code: 'wrong' }));
    all.push({ asked, guessed });
  }
  const [first, ...others] = all;
  expect(first?.asked.length).toBeGreaterThan(2);
  expect(first?.guessed.some((text) => /^update .*"auth_magic_link"/.test(text))).toBe(true);
  for (const other of others) expect(other).toEqual(first);
});
