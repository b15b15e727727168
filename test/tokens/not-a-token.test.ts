import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorCode } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

const VALUES: [what: string, value: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 42],
  ['an object', {}],
  ['an object with a split of its own', { split: () => ['eyJ', 'eyJ'] }],
  ['a list', ['a.b.c']],
  ['a boxed string', new String('a.b.c')],
  ['an empty string', ''],
];

test.each(VALUES)('%s instead of a token is token_not_valid', (_, value) => {
  const { tokens } = app.auth;
  for (const verify of ['verifyAccess', 'verifyRefresh', 'readRefresh'] as const) {
    expect(() => tokens[verify](value as string)).toThrow(
      expect.objectContaining({ code: ErrorCode.TokenNotValid, httpCode: 401, reason: 'malformed' }),
    );
  }
});
