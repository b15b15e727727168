import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerChecker, documentOf, expectWhole } from '../support/documented-app.js';
import { COOKIE, createMagicLinkApp, type MagicLinkApp, wrong } from '../support/magic-link-app.js';
import { createPerson } from '../support/person.js';

const PAGE = 'https://app.example.com/mail';
let app: MagicLinkApp;
let own: MagicLinkApp;
beforeAll(async () => {
  app = await createMagicLinkApp({ refreshTokenTransport: 'both' });
  own = await createMagicLinkApp({ magicLinkRedirect: PAGE, magicLinkDoneRedirect: PAGE });
});
afterAll(async () => {
  await app.close();
  await own.close();
});

test('the document is whole, with the built-in page and with pages of the app', async () => {
  for (const each of [app, own]) await expectWhole(documentOf(each));
});

test('the answers match the document: two modules send the code `code_not_valid` with different statuses', async () => {
  const document = documentOf(app);
  const check = answerChecker(document);
  const { email } = await createPerson(app);
  const asked = await app.ask(email);
  expect(check('POST', '/auth/magic-link', asked)).toEqual([]);
  await app.settled();
  const { request, code, link } = await app.mailed(email);
  const refused = await app.verify({ request, code: wrong(code) });
  expect(check('POST', '/auth/magic-link/verify', refused)).toEqual([]);
  expect(check('POST', '/auth/magic-link/verify', { ...refused, status: 400 })).not.toEqual([]);
  expect(check('POST', '/auth/magic-link/verify', await app.verify({ code }))).toEqual([]);
  const opened = await app.open(link);
  expect(check('GET', '/auth/magic-link/{key}', { ...opened, body: opened.html })).toEqual([]);
  const cookie = opened.cookies.get(COOKIE)?.split(';')[0] ?? '';
  const headers = { 'auth-transport': 'body' };
  expect(check('POST', '/auth/magic-link/sign-in', await app.signIn('', headers))).toEqual([]);
  const signedIn = await app.signIn(cookie, headers);
  expect(Object.keys(signedIn.body)).toEqual(['access', 'refresh']);
  expect(check('POST', '/auth/magic-link/sign-in', signedIn)).toEqual([]);
  const failed = await app.open(link);
  expect(check('GET', '/auth/magic-link/{key}', { ...failed, body: failed.html })).toEqual([]);
  expect(JSON.stringify(document)).not.toContain('mailed_code_not_valid');
});

test('redirects to pages of the app are in its document', async () => {
  const check = answerChecker(documentOf(own));
  const { email } = await createPerson(own);
  const opened = await own.open((await own.mailed(email)).link);
  expect([opened.location, check('GET', '/auth/magic-link/{key}', { ...opened, body: opened.html })]).toEqual([
    PAGE,
    [],
  ]);
  const done = await own.press(opened.cookies.get(COOKIE)?.split(';')[0] ?? '');
  expect([done.location, check('POST', '/auth/magic-link/sign-in', { ...done, body: done.html })]).toEqual([PAGE, []]);
});
