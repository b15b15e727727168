import { globSync, readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { importSnippet } from '../support/documented-snippet.js';
import { blocksOf, pages, rowsOf } from '../support/manual.js';
import { createTestApp } from '../support/test-app.js';

const page = pages.get('docs/events.md') ?? '';
const sources = globSync('src/**/*.ts').map((path) => readFileSync(path, 'utf8'));
const everySource = sources.join('\n');

/** The members of a union of string types, wherever it is declared. */
const unionOf = (name: string) => {
  const [, body = ''] = new RegExp(`type ${name} =([^;]*);`).exec(everySource) ?? [];
  return [...body.matchAll(/'([\w-]+)'/g)].map(([, member]) => member);
};

/** The names in the first column of the table with this head. */
const namesBelow = (head: string) => {
  const table = page.slice(page.indexOf(head)).split('\n\n')[0] ?? '';
  const cells = table
    .split('\n')
    .slice(2)
    .map((row) => row.split('|')[1] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
};

test('the tables have every event, reason and kind of reuse, and no other', () => {
  const maps = everySource.match(/interface AuthEventMap \{[^}]*\}/g) ?? [];
  const events = maps.flatMap((map) => [...map.matchAll(/'([\w.-]+)':/g)].map(([, name]) => name));
  expect(namesBelow('| Event |').sort()).toEqual(events.sort());
  expect(namesBelow('| `reason` of').sort()).toEqual([...unionOf('RevocationReason'), 'elsewhere'].sort());
  expect(namesBelow('| `reason` of `passkey.failed`').sort()).toEqual(unionOf('PasskeyFault').sort());
  expect(namesBelow('| `reuse` of').sort()).toEqual(unionOf('TokenReuse').sort());
});

test('the table of metrics has every name that the library uses, and no other', () => {
  const spans = [...everySource.matchAll(/telemetry\.measure\('(\w+)'/g)].map(([, name]) => `jwt_allauth.${name}`);
  const gauges = [...everySource.matchAll(/telemetry\.gauge\('([\w.]+)'/g)].map(([, name]) => `jwt_allauth.${name}`);
  const others = [...everySource.matchAll(/create(?:Histogram|Counter)\('([\w.]+)'/g)].map(([, name]) => name);
  const named = [...page.matchAll(/`(jwt_allauth\.[\w.]+)`/g)].map(([, name]) => name);
  expect(new Set(named)).toEqual(new Set([...spans, ...gauges, ...others]));
});

test('the logger of the page gets each refusal and its reason, at level info', async () => {
  const printed = vi.spyOn(console, 'log').mockReturnValue();
  const { logger } = await importSnippet('src/logger.ts');
  const app = await createTestApp({ auth: { logger } });
  await app.client().send('GET', '/auth/user', undefined, { authorization: 'Bearer a.b.c' });
  const lines = printed.mock.calls.flat();
  printed.mockRestore();
  await app.close();
  expect(lines).toContainEqual({
    ...{ level: 'info', message: 'request refused' },
    ...{ code: 'token_not_valid', reason: 'malformed' },
  });
});

test('the data of events and the contents of the audit log match the page', async () => {
  const app = await createTestApp({ settings: { auditLog: true } });
  const seen = new Map<string, Set<string>>();
  app.auth.events.onAny((name, event) => {
    const fields = Object.entries(event).flatMap(([field, value]) => (value === undefined ? [] : [field]));
    seen.set(name, new Set([...(seen.get(name) ?? []), ...fields.filter((field) => field !== 'at')]));
  });
  const client = await app.signedUp('ada@example.com');
  const thief = client.copy();
  await client.login('ada@example.com', 'not the right sentence');
  await client.login('ada@example.com');
  await client.refresh();
  app.clock.advance(3600);
  await thief.refresh();
  const { rows: users } = await app.database.pool.query('select id from app_user');
  await app.auth.deactivation.deactivate(users[0].id);
  await client.login('ada@example.com'); // no_active_account: not written
  for (const [name = '', , data = ''] of rowsOf('events')) {
    const fields = seen.get(name.slice(1, -1));
    if (fields) expect(new Set([...data.matchAll(/`(\w+)`/g)].map(([, field]) => field)), name).toEqual(fields);
  }
  const { rows } = await app.database.pool.query(blocksOf('events', 'sql')[0] ?? '', [String(users[0].id)]);
  expect(rows.map(({ event }) => event)).toEqual(expect.arrayContaining(['session.opened', 'session.revoked']));
  expect(rows.filter(({ event }) => event === 'login.failed').map(({ details }) => details.code)).toEqual([
    'incorrect_credentials',
  ]);
  await app.close();
});
