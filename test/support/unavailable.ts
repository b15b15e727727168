import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import type { TestApp } from './test-app.js';
import type { Answer } from './test-client.js';

/** Asserts the answer of a request that the database could not serve: retry, and keep the tokens. */
export function expectUnavailable(answer: Answer, request?: string): void {
  expect(answer.body, request).toEqual({
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    code: 'service_unavailable',
    detail: 'The service is not available right now.',
  });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers.get('retry-after')).toBe('5');
  expect(answer.headers.getSetCookie()).toEqual([]);
  expect(answer.headers.has('www-authenticate')).toBe(false);
}

/** Collects the errors that would end the process of an app, until they are requested. */
export function watchProcess(): { end(): Promise<unknown[]> } {
  const seen: unknown[] = [];
  const listener = (error: unknown) => void seen.push(error);
  process.on('unhandledRejection', listener).on('uncaughtException', listener);
  return {
    end: async () => {
      await setImmediate(); // a rejection counts as unhandled only after the microtasks of its turn
      process.off('unhandledRejection', listener).off('uncaughtException', listener);
      return seen;
    },
  };
}

/** Connections of the app's pool that are in use. */
export async function connectionsInUse(app: TestApp): Promise<number> {
  const pool: { totalCount: number; idleCount: number } = await app.orm.em.getConnection().getNativeClient();
  return pool.totalCount - pool.idleCount;
}
