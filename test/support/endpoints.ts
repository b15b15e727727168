import type { TestApp } from './test-app.js';
import { type Answer, PASSWORD } from './test-client.js';

/** A route of the library that reads a body. */
export interface Endpoint {
  readonly name: string;
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly isBearer: boolean;
  /** A body that it accepts. `refresh` stands for a correctly signed token of an unknown session. */
  readonly body: Readonly<Record<string, string>>;
  /** The required fields. */
  readonly required: readonly string[];
}

/** Every route that reads a body, in body mode. */
export const ENDPOINTS: readonly Endpoint[] = [
  {
    name: 'registration',
    method: 'POST',
    path: '/auth/registration',
    isBearer: false,
    body: { email: 'somebody@example.com', password: PASSWORD, firstName: 'Ada', lastName: 'Lovelace' },
    required: ['email', 'password'],
  },
  {
    name: 'login',
    method: 'POST',
    path: '/auth/login',
    isBearer: false,
    body: { email: 'user@example.com', password: PASSWORD },
    required: ['email', 'password'],
  },
  { name: 'refresh', method: 'POST', path: '/auth/refresh', isBearer: false, body: { refresh: 'a.b.c' }, required: [] },
  { name: 'logout', method: 'POST', path: '/auth/logout', isBearer: false, body: { refresh: 'a.b.c' }, required: [] },
  {
    name: 'password change',
    method: 'POST',
    path: '/auth/password/change',
    isBearer: true,
    body: { oldPassword: PASSWORD, newPassword: 'another sentence, as long' },
    required: ['oldPassword', 'newPassword'],
  },
  {
    name: 'profile',
    method: 'PATCH',
    path: '/auth/user',
    isBearer: true,
    body: { firstName: 'Ada', lastName: 'Lovelace' },
    required: [],
  },
];

/** Sends a body to an endpoint as it is: text goes out unchanged, anything else as JSON. */
export function sendTo(
  app: TestApp,
  endpoint: Endpoint,
  body: unknown,
  bearer: Record<string, string>,
): Promise<Answer> {
  const headers = endpoint.isBearer ? bearer : {};
  return app.client().send(endpoint.method, endpoint.path, body, { 'content-type': 'application/json', ...headers });
}
