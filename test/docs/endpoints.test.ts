import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthEntities, ErrorCode } from '../../src/index.js';
import type { OpenApiDocument, OpenApiOperation } from '../../src/openapi/index.js';
import { documentOf, operationsOf } from '../support/documented-app.js';
import { PUBLIC_URL } from '../support/mail-app.js';
import { manual } from '../support/manual.js';
import { OPTIONAL_MODULES } from '../support/shipped-modules.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppUser, Organization } from '../support/users.js';

/** The rows of the two tables of endpoints: request, required input, answer. */
const rows = [...manual.matchAll(/^\| (`(?:GET|POST|PATCH|DELETE)\b[^|]*) \|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)].map(
  ([, requests = '', needs = '', success = '', errors = '']) => ({ requests, needs, success, errors }),
);

let app: TestApp;
let mandatory: TestApp;
let schemas: OpenApiDocument['components']['schemas'];
let described: { readonly name: string; readonly operation: OpenApiOperation }[];
beforeAll(async () => {
  const settings = { publicUrl: PUBLIC_URL, invitations: true };
  const orm = {
    entities: [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules: OPTIONAL_MODULES })],
  };
  app = await createTestApp({ settings, orm });
  const [page, emailVerification] = ['https://app.example.com/', 'mandatory'] as const;
  const redirects = { emailVerifiedRedirect: page, magicLinkRedirect: page, magicLinkDoneRedirect: page };
  const changes = { emailVerification, ...redirects };
  mandatory = await createTestApp({ settings: { ...settings, ...changes }, database: app.database, orm });
  const documents = [app, mandatory].map((each) => documentOf(each));
  schemas = Object.assign({}, ...documents.map(({ components }) => components.schemas));
  described = documents
    .flatMap(operationsOf)
    .map(({ method, path, operation }) => ({ name: `${method.toUpperCase()} ${path}`, operation }));
});
afterAll(async () => {
  await mandatory.close();
  await app.close();
});

/** The operation of a row, as the document names it. */
function namesIn(requests: string): string[] {
  const paths = [...requests.matchAll(/\/[\w./:-]+/g)].map(([path]) => path.replace(/:(\w+)/g, '{$1}'));
  const methods = requests.match(/GET|POST|PATCH|DELETE/g) ?? [];
  return methods.flatMap((method) => paths.map((path) => `${method} /auth${path}`));
}

/** The operations of a row. */
function operationsIn(requests: string): OpenApiOperation[] {
  const names = namesIn(requests);
  return described.filter(({ name }) => names.includes(name)).map(({ operation }) => operation);
}

/** The fields of the JSON bodies and forms of operations, as the tables write them: optional ones with `?`. */
function fieldsOf(operations: readonly OpenApiOperation[]): Set<string> {
  const bodies = operations.flatMap(({ requestBody }) => Object.values(requestBody?.content ?? {}));
  const fields = bodies.flatMap(({ schema = {} }) => {
    const name = String(schema['$ref'] ?? '').replace(/^.*\//, '');
    const { properties, required = [] } = (name ? schemas[name] : schema) as {
      properties: object;
      required?: string[];
    };
    return Object.keys(properties).map((field) => (required.includes(field) ? field : `${field}?`));
  });
  return new Set(fields);
}

/** Statuses that the text next to the tables explains, instead of each row. */
const OF_MANY = ['413', '415', '500', '503'];

/** Codes that any route can answer because of its input: a body, a token, a proof, an origin, a rate limit. */
const OF_ALL: string[] = [
  ErrorCode.ValidationFailed,
  ErrorCode.MalformedJson,
  ErrorCode.NotAuthenticated,
  ErrorCode.TokenNotValid,
  ErrorCode.CsrfFailed,
  ErrorCode.TooManyRequests,
  ErrorCode.DpopProofMissing,
  ErrorCode.DpopProofInvalid,
  ErrorCode.UseDpopNonce,
];

test('the tables of the manual are found', () => {
  expect(rows.length).toBeGreaterThan(20);
  const named = rows.flatMap(({ requests }) => operationsIn(requests));
  expect(new Set(named)).toEqual(new Set(described.map(({ operation }) => operation)));
});

test('the tables of the manual have each endpoint in one row, and no other', () => {
  const named = rows.flatMap(({ requests }) => [...new Set(namesIn(requests))]);
  expect(named.sort()).toEqual([...new Set(described.map(({ name }) => name))].sort());
});

test('the tables of the manual require a token and fields where the document does', () => {
  for (const { requests, needs } of rows) {
    const operations = operationsIn(requests);
    const isBearer = operations.every(({ security = [] }) => security.some((scheme) => 'bearerAuth' in scheme));
    expect(needs.includes('Bearer'), requests).toBe(isBearer);
    const named = [...needs.matchAll(/`([^`]+)`/g)].flatMap(([, fields = '']) => fields.split(' '));
    if (requests.includes('/refresh'))
      expect(named).toEqual(['refresh']); // in body mode
    else expect(new Set(named), requests).toEqual(fieldsOf(operations));
  }
});

test('the tables of the manual have every answer of the document that is not common to all', () => {
  for (const { requests, success, errors } of rows) {
    const operations = operationsIn(requests);
    const isPage = operations.some(({ responses }) => responses['500']?.content?.['text/html']);
    const answers = success + errors;
    for (const [status, response] of operations.flatMap(({ responses }) => Object.entries(responses))) {
      if (OF_MANY.includes(status)) continue;
      const codes = JSON.stringify(response).match(/"enum":\[([^\]]*)\]/)?.[1] ?? '';
      // A foreign origin at the refresh cookie is explained next to the first table.
      if (status === '403' && codes === '"csrf_failed"' && !answers.includes('403')) {
        expect(requests).toMatch(/^`POST \/(registration|login|refresh|logout)`$/);
        continue;
      }
      const isPageOf200 = isPage && status === '200';
      expect(
        isPageOf200 ? answers.match(/page|form/)?.length : answers.includes(status),
        `${requests} ${status}`,
      ).toBeTruthy();
      for (const [, code = ''] of codes.matchAll(/"(\w+)"/g)) {
        if (!OF_ALL.includes(code)) expect(answers, `${requests} ${code}`).toContain(code);
      }
    }
  }
});

test('every status and code in the tables of the manual is in the document', () => {
  for (const { requests, success, errors } of rows) {
    const answers = success + errors;
    const responses = operationsIn(requests).flatMap((operation) => Object.entries(operation.responses));
    for (const [, status, codes = ''] of answers.matchAll(/\b([2-5]\d\d)\b((?: `[a-z_]+`)*)/g)) {
      const matching = responses.filter(([each]) => each === status);
      expect(matching, `${requests} ${status}`).not.toEqual([]);
      for (const [, code = ''] of codes.matchAll(/`(\w+)`/g)) expect(JSON.stringify(matching)).toContain(`"${code}"`);
    }
  }
});

test('every code of an error that is answered is in the document of some route', () => {
  const own: string[] = [ErrorCode.InvalidSettings, ErrorCode.ControllerRefused]; // at start-up
  own.push(ErrorCode.DpopProofMissing); // with DPOP=required
  // Of the app's own routes, and of its fields.
  const ofApps: string[] = [ErrorCode.NotFound, ErrorCode.Conflict, ErrorCode.FieldAlreadyTaken];
  const all = JSON.stringify(described);
  const missing = Object.values(ErrorCode).filter((code) => !all.includes(`"${code}"`));
  expect(missing.sort()).toEqual([...own, ...ofApps].sort());
});
