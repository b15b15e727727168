import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import type { AppServerOptions } from '../../src/index.js';
import {
  createOpenApiDocument,
  type JsonSchema,
  type OpenApiDocument,
  type OpenApiOptions,
} from '../../src/openapi/index.js';
import type { TestApp } from './test-app.js';

/** The document of a test's app. */
export function documentOf(
  { auth }: Pick<TestApp, 'auth'>,
  server: AppServerOptions = {},
  options: Partial<OpenApiOptions> = {},
): OpenApiDocument {
  return createOpenApiDocument(auth, auth.serverOptions(server), { info: { title: 'Test', version: '1' }, ...options });
}

/** Every operation of a document, with its path and method. */
export function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** Names of the schemas that a part of a document refers to. */
const referred = (part: unknown) =>
  new Set([...JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name));

/** Kept for all files of a process, because it compiles the schema of OpenAPI, which takes half a second. */
const kept = globalThis as { openApiValidator?: Validator };

/** Expects a valid document without missing and without unused schemas. */
export async function expectWhole(described: OpenApiDocument) {
  kept.openApiValidator ??= new Validator();
  const validator = kept.openApiValidator;
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(described)));
  expect(errors).toBeUndefined();
  expect([valid, validator.version]).toEqual([true, '3.1']);
  expect(new Set(Object.keys(described.components.schemas))).toEqual(referred(described));
  const operations = operationsOf(described).map(({ operation }) => operation);
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const schemes = operations.flatMap(({ security = [] }) => security.flatMap(Object.keys));
  expect(new Set(Object.keys(described.components.securitySchemes))).toEqual(new Set(schemes));
  expect(JSON.stringify(described)).not.toMatch(/"nullable"|"example"/);
  expect(JSON.parse(JSON.stringify(described))).toStrictEqual(described);
}

/** An answer as it was received. */
interface Answered {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

/** Returns the parts of an answer that the document does not allow; empty if it is documented. */
export function answerChecker(document: OpenApiDocument) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document as unknown as JsonSchema, 'document', false, false);
  return (method: string, path: string, { status, body, headers }: Answered): string[] => {
    const operation = document.paths[path]?.[method.toLowerCase()];
    const response = operation?.responses[status];
    if (!response) return [`${method} ${path} is not described with ${status}`];
    const missing = Object.keys(response.headers ?? {}).filter((name) => !headers.has(name));
    const faults = missing.map((name) => `${name} is missing`);
    const type = headers.get('content-type')?.split(';')[0];
    if (!response.content) return body === '' ? faults : [...faults, 'there is a body'];
    if (!type || !response.content[type]) return [...faults, `${type} is not described`];
    const escaped = (part: string | number) => String(part).replaceAll('~', '~0').replaceAll('/', '~1');
    const pointer = ['paths', path, method.toLowerCase(), 'responses', status, 'content', type, 'schema'].map(escaped);
    const isValid = ajv.validate({ $ref: `document#/${pointer.map(encodeURIComponent).join('/')}` }, body);
    return isValid ? faults : [...faults, ajv.errorsText()];
  };
}
