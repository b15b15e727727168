import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS, type ErrorRow, type ErrorTable } from '../../src/error-table.js';
import { pages } from '../support/manual.js';
import { pageWithModules, SHIPPED_MODULES } from '../support/shipped-modules.js';
import { createTestApp } from '../support/test-app.js';

const page = pages.get('docs/errors.md') ?? '';
const rows = [...pageWithModules('errors').matchAll(/^\| `(\w+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|/gm)];

test('the tables of errors have each code once, with its status, cause and advice', () => {
  const all = Object.assign({}, ERRORS, ...SHIPPED_MODULES.map(({ errors }) => errors));
  const documented = rows.map(([, code = '', status]) => [code, Number(status)]);
  const expected = Object.entries<ErrorRow>(all).map(([name, { code = name, status }]) => [code, status]);
  expect(documented.sort()).toEqual(expected.sort());
  for (const [, code, , cause] of rows) expect(cause?.length, code).toBeGreaterThan(10);
});

test('every 503 has a Retry-After, and a 401 of a module is not about the access token', () => {
  const rowsOf = (tables: readonly (ErrorTable | undefined)[]) =>
    tables.flatMap((table) => Object.entries(table ?? {}));
  const ofModules = rowsOf(SHIPPED_MODULES.map(({ errors }) => errors));
  const unavailable = [...rowsOf([ERRORS]), ...ofModules].filter(([, { status }]) => status === 503);
  expect(unavailable.map(([code]) => code)).toContain('provider_unavailable');
  for (const [code, { retryAfter }] of unavailable) expect(retryAfter, code).toBeGreaterThan(0);
  const refusals = ofModules.filter(([, { status }]) => status === 401);
  expect(refusals.map(([code]) => code)).toContain('mailed_code_not_valid');
  for (const [code, { isAboutToken }] of refusals) expect(isAboutToken, code).toBe(false);
});

/** The members of these types. */
const membersOf = (types: string) => {
  const source = readFileSync('src/error.ts', 'utf8');
  const found = [...source.matchAll(new RegExp(`export type (?:${types}) =([^;]*);`, 'g'))];
  return [
    ...found
      .map(([, text = '']) => text)
      .join()
      .matchAll(/'([\w-]+)'/g),
  ]
    .map(([, name = '']) => name)
    .sort();
};

/** The names in the first column of a section. */
const namesIn = (section: string) => {
  const [, table = ''] = new RegExp(`## ${section}([\\s\\S]*?)\n## `).exec(page) ?? [];
  const cells = [...table.matchAll(/^\| (`[a-z-]+`.*?) \|/gm)].map(([, cell = '']) => cell);
  return cells
    .flatMap((cell) => cell.match(/(?<=`)[a-z-]+(?=`)/g))
    .filter((name) => name !== 'reason')
    .sort();
};

test('the reasons in the log are those in the source', () => {
  const refusing = membersOf('TokenReuse|RefusalReason').filter((name) => !/^lost-response$|^recovered$/.test(name));
  expect(namesIn('Reasons in the log')).toEqual(refusing);
});

test('each reason of a refused proof has a row', () => {
  expect(namesIn('Refused proofs')).toEqual(membersOf('ProofRefusal'));
});

test('the example is the real answer to a short password', async () => {
  const app = await createTestApp();
  const { body } = await app.client().register('short@example.com', 'short');
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  await app.close();
  expect(body).toEqual(JSON.parse(json));
});
