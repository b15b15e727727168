import { STATUS_CODES } from 'node:http';
import { expect } from 'vitest';
import type { Answer } from './test-client.js';

/** Asserts a complete refusal: problem details without other fields, no token, no cookie with a token. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  const { errors, reason, ...body } = answer.body;
  expect(body).toEqual({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail: expect.any(String) });
  if (errors !== undefined) expect(['validation_failed', 'field_already_taken']).toContain(code);
  expect(reason).toEqual(code === 'dpop_proof_invalid' ? expect.stringMatching(/^proof-/) : undefined);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.has('www-authenticate')).toBe(status === 401);
  expect(answer.headers.has('retry-after')).toBe(status === 429 || status === 503);
  expect(answer.cookie?.value ?? '').toBe('');
}

/** Asserts that the answer clears the refresh cookie, with the attributes that it was set with. */
export function expectCookieCleared({ cookie }: Answer): void {
  expect(cookie).toEqual({ name: 'refresh_token', value: '', attributes: expect.any(Array) });
  const attributes = cookie?.attributes.filter((attribute) => !attribute.startsWith('Expires='));
  expect(attributes?.sort()).toEqual(['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Lax']);
}
