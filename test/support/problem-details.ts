import { STATUS_CODES } from 'node:http';
import { expect } from 'vitest';
import type { Answer } from './test-client.js';

/** What no error may show: stacks, paths and SQL. */
const INTERNALS = /node_modules|\.[tj]s:\d|\n\s*at |select |insert |update .* set/i;

/**
 * Asserts that an answer is exactly the problem of this status and code (RFC 9457), with the challenge that a 401
 * requires, and that it repeats none of the submitted `values`.
 */
export function expectProblemDetails(
  answer: Answer,
  status: number,
  code: string,
  values: readonly string[] = [],
): void {
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  const hasErrors = code === 'validation_failed';
  expect(answer.body).toEqual({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    code,
    detail: expect.stringMatching(/^[A-Z].*\.$/),
    ...(hasErrors && { errors: expect.any(Array) }),
  });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers.get('www-authenticate')?.startsWith('Bearer') ?? false).toBe(status === 401);
  expect(text).not.toMatch(INTERNALS);
  for (const value of values) expect(text).not.toContain(value);
  for (const error of answer.body.errors ?? []) {
    expect(Object.keys(error)).toEqual(['field', 'messages']);
    expect(error.field).toEqual(expect.any(String));
    expect(error.messages.length).toBeGreaterThan(0);
    for (const message of error.messages) expect(message).toMatch(/^\S.*$/);
  }
  if (hasErrors) expect(answer.body.errors.length).toBeGreaterThan(0);
}

/** The names of the faulty fields in a problem, in its order. */
export function fieldsOf(answer: Answer): string[] {
  return (answer.body.errors ?? []).map(({ field }: { field: string }) => field);
}
