import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from './support/test-app.js';

describe('rotation', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  test('a refresh yields a new token of the same session and leaves one row', async () => {
    const client = await app.signedUp();
    const before = client.refreshToken;
    const answer = await client.refresh();
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['access']);
    expect(client.refreshToken).not.toBe(before);
    expect(await app.sessions()).toHaveLength(1);
    expect(await app.liveSessions()).toBe(1);
  });
});
