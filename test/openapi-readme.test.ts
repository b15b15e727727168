import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../src/index.js';
import type { OpenApiOperation } from '../src/openapi/index.js';
import { documentOf, operationsOf } from './support/documented-app.js';
import { PUBLIC_URL } from './support/mail-app.js';
import { createTestApp, type TestApp } from './support/test-app.js';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of the two tables of endpoints: what is requested, what is answered. */
const rows = [...readme.matchAll(/^\| (`(?:GET|POST|PATCH|DELETE)\b[^|]*) \|[^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(
  ([, requests = '', success = '', errors = '']) => ({ requests, answers: success + errors }),
);

let app: TestApp;
let mandatory: TestApp;
let described: { readonly name: string; readonly operation: OpenApiOperation }[];
beforeAll(async () => {
  const settings = { publicUrl: PUBLIC_URL, invitations: true };
  app = await createTestApp({ settings });
  const changes = { emailVerification: 'mandatory', emailVerifiedRedirect: 'https://app.example.com/' } as const;
  mandatory = await createTestApp({ settings: { ...settings, ...changes }, database: app.database });
  described = [app, mandatory]
    .flatMap((each) => operationsOf(documentOf(each)))
    .map(({ method, path, operation }) => ({ name: `${method.toUpperCase()} ${path}`, operation }));
});
afterAll(async () => {
  await mandatory.close();
  await app.close();
});

/** The operations that a row is about. */
function operationsIn(requests: string): OpenApiOperation[] {
  const paths = [...requests.matchAll(/\/[\w./:-]+/g)].map(([path]) => path.replace(/:(\w+)/g, '{$1}'));
  const methods = requests.match(/GET|POST|PATCH|DELETE/g) ?? [];
  const names = methods.flatMap((method) => paths.map((path) => `${method} /auth${path}`));
  return described.filter(({ name }) => names.includes(name)).map(({ operation }) => operation);
}

test('the tables of the README are found', () => {
  expect(rows.length).toBeGreaterThan(20);
  const named = rows.flatMap(({ requests }) => operationsIn(requests));
  expect(new Set(named)).toEqual(new Set(described.map(({ operation }) => operation)));
});

test('every status and code in the tables of the README is in the document', () => {
  for (const { requests, answers } of rows) {
    const responses = operationsIn(requests).flatMap((operation) => Object.entries(operation.responses));
    for (const [, status, codes = ''] of answers.matchAll(/\b([2-5]\d\d)\b((?: `[a-z_]+`)*)/g)) {
      const told = responses.filter(([each]) => each === status);
      expect(told, `${requests} ${status}`).not.toEqual([]);
      for (const [, code = ''] of codes.matchAll(/`(\w+)`/g)) expect(JSON.stringify(told)).toContain(`"${code}"`);
    }
  }
});

test('every code of an error that is answered is in the document of some route', () => {
  const own: string[] = [ErrorCode.InvalidSettings, ErrorCode.ControllerRefused]; // at start-up
  const ofApps: string[] = [ErrorCode.BadRequest, ErrorCode.NotFound, ErrorCode.Conflict]; // of the app's own routes
  const all = JSON.stringify(described);
  const missing = Object.values(ErrorCode).filter((code) => !all.includes(`"${code}"`));
  expect(missing.sort()).toEqual([...own, ...ofApps].sort());
});
