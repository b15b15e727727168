import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

/** A text whose Unicode normalisation takes seconds, although it fits into a body. */
const MARKS = `a${'\u0301'.repeat(23_000)}${'\u0323'.repeat(23_000)}`;

describe('a text that is slow to normalise', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ isHashingReal: true });
  });
  afterAll(() => app.close());

  test.each<[what: string, request: (app: TestApp) => Promise<{ status: number }>, status: number]>([
    ['as the password of a login', (app) => app.client().login('owner@example.com', MARKS), 401],
    ['as the e-mail address of a login', (app) => app.client().login(`${MARKS}@example.com`), 400],
    ['as the password of a sign-up', (app) => app.client().register('new@example.com', MARKS), 400],
    ['as the e-mail address of a sign-up', (app) => app.client().register(`${MARKS}@example.com`), 400],
    ['as an old password', async (app) => (await app.signedUp()).changePassword(MARKS, `${PASSWORD}!`), 401],
    ['as a new password', async (app) => (await app.signedUp()).changePassword(PASSWORD, MARKS), 400],
  ])('%s is never normalised', async (_, request, status) => {
    const original = String.prototype.normalize;
    const lengths: number[] = [];
    String.prototype.normalize = function (this: string, ...form) {
      lengths.push(this.length);
      return original.apply(this, form);
    };
    try {
      expect((await request(app)).status).toBe(status);
    } finally {
      String.prototype.normalize = original;
    }
    expect(lengths.filter((length) => length > 1000)).toEqual([]);
  });
});
