import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blocksOf, pages, rowsOf } from '../support/manual.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { newKey } from '../support/test-keys.js';

let app: TestApp;
beforeAll(async () => {
  const { settings } = await newKey('ES256');
  app = await createTestApp({ settings: { ...settings, issuer: 'https://id.example.com', audience: 'orders' } });
});
afterAll(() => app.close());

test('docs/keys.md verifies an access token in another service', async () => {
  const { access } = await app.signedUp('ada@example.com');
  const [block = ''] = blocksOf('keys', 'js');
  const lines = block.replace(/^import .*\n/, '').replace('https://id.example.com/auth', `${app.url}/auth`);
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...given: unknown[]) => Promise<unknown>;
  const verify = new AsyncFunction('createRemoteJWKSet', 'jwtVerify', 'accessToken', `${lines}\nreturn payload;`);
  expect(await verify(createRemoteJWKSet, jwtVerify, access)).toMatchObject({ aud: 'orders', token_type: 'access' });
  await expect(verify(createRemoteJWKSet, jwtVerify, `${access.slice(0, -4)}AAAA`)).rejects.toThrow();
});

test('docs/how-it-works.md has every column of a session and every folder of src', async () => {
  const { rows } = await app.database.pool.query(
    `select column_name as name from information_schema.columns where table_name = 'auth_session'`,
  );
  const namesOf = (cell: string) => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name);
  const named = rowsOf('how-it-works').flatMap(([cell = '']) => namesOf(cell));
  const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(named.sort()).toEqual([...rows.map(({ name }) => name), ...folders.map(({ name }) => name)].sort());
});

test('docs/how-it-works.md names only existing files', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  const prose = (pages.get('docs/how-it-works.md') ?? '').replace(/`npm run [\w-]+`/g, '');
  for (const [, name = ''] of prose.matchAll(/`([\w/-]+(?:\.(?:service|controller|ts))|[\w-]+\/[\w/-]+[\w])`/g)) {
    expect(
      files.some((file) => file.includes(name)),
      name,
    ).toBe(true);
  }
});

test('docs/scaling.md has figures from bench/RESULTS.md', async () => {
  const results = await readFile('bench/RESULTS.md', 'utf8');
  const table = (pages.get('docs/scaling.md') ?? '').split('## What makes it fast')[0] ?? '';
  const figures = [...table.matchAll(/\| ([\d.; ]+) \|$/gm)].flatMap(([, cell = '']) => cell.split('; '));
  expect(figures.length).toBeGreaterThan(10);
  for (const figure of figures) expect(results, figure).toContain(`| ${figure} (`);
});

test('docs/openapi.md installs the optional packages that the document needs', async () => {
  const { peerDependenciesMeta } = JSON.parse(await readFile('package.json', 'utf8'));
  const packages = (blocksOf('openapi', 'sh')[0] ?? '').trim().split(' ').slice(2);
  expect(packages).toEqual(['routing-controllers-openapi', 'class-validator-jsonschema']);
  for (const name of packages) expect(peerDependenciesMeta[name]).toEqual({ optional: true });
});
