import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOwner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

const MINUTE = 60_000;
const LIFETIME = 14 * 1440 * MINUTE;

const down = (milliseconds: number, minutes: number) =>
  new Date(Math.floor(milliseconds / (minutes * MINUTE)) * minutes * MINUTE).toISOString();

describe.each([
  { grace: 0, minutes: 1 },
  { grace: 10, minutes: 1 },
  { grace: 59, minutes: 1 },
  { grace: 60, minutes: 2 },
  { grace: 120, minutes: 3 },
])('the times of sessions, with a grace of $grace s', ({ grace, minutes }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshReuseGrace: grace, accessTokenLifetime: '1d' } });
  });
  afterAll(() => app.close());

  const shown = async (client: TestClient) => {
    const { body } = await client.get('/auth/sessions');
    return body.map(({ lastUsedAt, expiresAt }: Record<string, string>) => [lastUsedAt, expiresAt]);
  };

  test('show a rotation only after its grace, and only in steps that are longer than the grace', async () => {
    const { client } = await createOwner(app);
    const openedAt = app.clock.now();
    app.clock.advance(7 * 60 + 13);
    await client.refresh();
    const first = app.clock.now();
    app.clock.advance(grace + 1);
    const before = await shown(client);
    expect(before).toEqual([
      [down(Math.max(openedAt, first), minutes), down(Math.floor(first / 1000) * 1000 + LIFETIME, minutes)],
    ]);

    app.clock.advance(1800 + 29);
    expect(await shown(client)).toEqual(before);
    await client.refresh();
    const second = app.clock.now();
    expect(await shown(client)).toEqual(before);
    app.clock.advance(grace);
    expect(await shown(client)).toEqual(before);
    app.clock.advance(1);
    expect(await shown(client)).toEqual([
      [down(second, minutes), down(Math.floor(second / 1000) * 1000 + LIFETIME, minutes)],
    ]);
  });

  test('do not reveal a rotation by their order either', async () => {
    const owner = await createOwner(app);
    app.clock.advance(1800);
    const other = await owner.another();
    app.clock.advance(1800);
    const order = async () => (await other.get('/auth/sessions')).body.map(({ id }: { id: string }) => id);
    const [first, second] = [sessionOf(owner.client), sessionOf(other)];
    expect(await order()).toEqual([second, first]);
    await owner.client.refresh();
    expect(await order()).toEqual([second, first]);
    app.clock.advance(grace + 1);
    expect(await order()).toEqual([first, second]);
  });

  test('are never earlier than the opening of the session', async () => {
    const { client } = await createOwner(app);
    const [{ createdAt, lastUsedAt }] = (await client.get('/auth/sessions')).body;
    expect(lastUsedAt >= createdAt).toBe(true);
  });
});
