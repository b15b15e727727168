import { expect } from 'vitest';
import type { Answer, TestClient } from './test-client.js';

/** `WWW-Authenticate` of a request whose access token is not valid. */
export const INVALID_TOKEN = 'Bearer error="invalid_token", error_description="The token is not valid."';

/** Expects the whole answer to an invalid token: the same for every reason, and without any input. */
export function expectTokenNotValid(answer: Answer, challenge: 'Bearer' | typeof INVALID_TOKEN): void {
  expect(answer.body).toEqual({
    type: 'about:blank',
    title: 'Unauthorized',
    status: 401,
    code: 'token_not_valid',
    detail: 'The token is not valid.',
  });
  expect(answer.status).toBe(401);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('www-authenticate')).toBe(challenge);
}

/** Sends a refresh token in a body; not as an object, which would make the client record forgeries as secrets. */
export function postRefresh(client: TestClient, path: string, refresh: string): Promise<Answer> {
  return client.send('POST', path, JSON.stringify({ refresh }));
}
