import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BaseUser, type ForUserOptions, RefreshToken, RotationService } from '../../src/index.js';
import { ownContainer } from '../support/containers.js';
import { expectProblem } from '../support/expect-problem.js';
import { claimsOf, createOwner, type Owner, sessionOf } from '../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import type { Answer, TestClient } from '../support/test-client.js';

/** Trusts one proxy, so that a test can choose the address of a request. */
const proxied: TestAppOptions = { express: 5, configure: (app) => app.set('trust proxy', 1) };

const at = (ip: string, userAgent: string) => ({ 'x-forwarded-for': ip, 'user-agent': userAgent });
const HOME = at('192.0.2.7', 'Firefox');
const ELSEWHERE = at('198.51.100.9', 'Firefox');

let before: () => unknown = () => undefined;

class DependentToken extends RefreshToken {
  static override async forUser(user: BaseUser, options?: ForUserOptions) {
    await before();
    return super.forUser(user, options);
  }
}

const container = ownContainer('followers');
let app: TestApp;
let owner: Owner;
beforeAll(async () => {
  app = await createTestApp({ ...proxied, auth: { container }, settings: { refreshToken: DependentToken } });
});
afterAll(() => app.close());
beforeEach(async () => {
  before = () => undefined;
  owner = await createOwner(app);
  app.events.length = 0;
});

async function refreshFrom(client: TestClient, place: Record<string, string>): Promise<Answer> {
  const answer = await client.send('POST', '/auth/refresh', undefined, { ...client.cookieHeader, ...place });
  if (answer.status === 200) Object.assign(client, { access: answer.body.access, refreshToken: answer.cookie?.value });
  return answer;
}

const row = async () => (await app.sessions()).find(({ id }) => id === sessionOf(owner.client)) as object;
const reuses = () => app.events.map(({ reuse }) => reuse);

/** One generation: the owner refreshes after half an hour, and then the parent is used from each of these places. */
async function generation(...followers: Record<string, string>[]): Promise<number[]> {
  const parent = owner.client.copy();
  app.clock.advance(1800);
  const statuses = [(await refreshFrom(owner.client, HOME)).status];
  app.clock.advance(5);
  for (const place of followers) statuses.push((await refreshFrom(parent.copy(), place)).status);
  return statuses;
}

describe('a thief who presents the parent within the grace of each rotation of the owner', () => {
  test.each([
    ['another network', ELSEWHERE],
    ['another user agent on the same network', at('192.0.2.7', 'curl')],
    ['another IPv6 /64', at('2001:db8:1:2::1', 'Firefox')],
  ])('from %s is detected at the third generation', async (_, place) => {
    const thief = owner.client.copy();
    let followed = 0;
    for (let round = 0; round < 99; round++) {
      app.clock.advance(1800);
      if ((await refreshFrom(owner.client, HOME)).status !== 200) break;
      app.clock.advance(9);
      const answer = await refreshFrom(thief, place);
      if (answer.status !== 200) {
        expectProblem(answer, 401, 'refresh_token_reused');
        break;
      }
      followed++;
      expect(claimsOf(thief.refreshToken).jti).toBe(claimsOf(owner.client.refreshToken).jti);
    }
    expect(followed).toBe(2);
    expect(reuses()).toEqual(['lost-response', 'lost-response', 'replay']);
    expect(await owner.live()).toBe(0);
    expectProblem(await refreshFrom(owner.client, HOME), 401, 'token_not_valid');
  });

  test('is also detected when the thief rotates first, or both take turns', async () => {
    const thief = owner.client.copy();
    const codes: unknown[] = [];
    for (const isThiefFirst of [true, false, true]) {
      app.clock.advance(1800);
      const [first, second] = isThiefFirst ? [thief, owner.client] : [owner.client, thief];
      const places = isThiefFirst ? [ELSEWHERE, HOME] : [HOME, ELSEWHERE];
      for (const [index, client] of [first, second].entries()) {
        const { status, body } = await refreshFrom(client, places[index] ?? HOME);
        codes.push(body.code ?? status);
      }
    }
    expect(codes).toEqual([200, 200, 200, 200, 200, 'refresh_token_reused']);
    expect(await owner.live()).toBe(0);
  });
});

describe('cases that are no theft', () => {
  test('a generation counts once, however often its parent is used', async () => {
    const many = Array(6).fill(ELSEWHERE);
    expect(await generation(...many)).toEqual(Array(7).fill(200));
    expect(await generation(...many)).toEqual(Array(7).fill(200));
    expect(await row()).toMatchObject({ is_followed: true, followed_generations: 1 });
  });

  test('a generation whose parent is not used elsewhere resets the count', async () => {
    for (let round = 0; round < 4; round++) {
      expect(await generation(ELSEWHERE)).toEqual([200, 200]);
      expect(await generation(ELSEWHERE)).toEqual([200, 200]);
      expect(await generation(...(round % 2 ? [HOME] : []))).toContain(200);
      expect(await row()).toMatchObject({ is_followed: false, followed_generations: 2 });
    }
    expect(await owner.live()).toBe(1);
  });

  test('tabs without locks at one place, at every generation', async () => {
    for (let round = 0; round < 6; round++) expect(await generation(HOME, HOME)).toEqual([200, 200, 200]);
    expect(await row()).toMatchObject({ is_followed: false, followed_generations: 0 });
  });

  test('a session that was rotated by a version that did not store its place', async () => {
    const parent = owner.client.copy();
    await refreshFrom(owner.client, HOME);
    await app.database.pool.query(
      'update auth_session set rotated_from = null, followed_generations = 2, previous_rotated_at = null where id = $1',
      [sessionOf(owner.client)],
    );
    expect((await refreshFrom(parent, ELSEWHERE)).status).toBe(200);
    expect(await row()).toMatchObject({ is_followed: false });
    expect(await generation()).toEqual([200]);
    expect(await row()).toMatchObject({ followed_generations: 0 });
  });

  test('a refresh for which the app does not state the client', async () => {
    for (let round = 0; round < 4; round++) {
      const parent = owner.client.copy();
      const { refresh } = await container.get(RotationService).rotate(owner.client.refreshToken);
      Object.assign(owner.client, { refreshToken: refresh });
      expect((await refreshFrom(parent, ELSEWHERE)).status).toBe(200);
    }
    expect(await row()).toMatchObject({ rotated_from: null, is_followed: false, followed_generations: 0 });
  });

  test('a parent for which the app cannot create tokens is not counted', async () => {
    const parent = owner.client.copy();
    await refreshFrom(owner.client, HOME);
    before = () => {
      throw new Error('the permission service is away');
    };
    expectProblem(await refreshFrom(parent, ELSEWHERE), 500, 'internal_error');
    expect(await row()).toMatchObject({ is_followed: false });
    expect(app.events).toEqual([]);
  });

  test('a parent whose successor is used while its answer is created is checked again', async () => {
    const parent = owner.client.copy();
    await refreshFrom(owner.client, HOME);
    before = async () => {
      before = () => undefined;
      expect((await refreshFrom(owner.client, HOME)).status).toBe(200);
    };
    expectProblem(await refreshFrom(parent, ELSEWHERE), 401, 'refresh_token_reused');
    expect(await owner.live()).toBe(0);
  });
});

test('the row reveals neither network nor user agent, and the same place has another hash in another session', async () => {
  await generation();
  const first = (await row()) as { rotated_from: string; ip: string | null };
  owner = { ...owner, client: await owner.another() };
  await generation();
  const second = (await row()) as { rotated_from: string };
  expect(first.ip).toBeNull();
  expect(first.rotated_from).toMatch(/^-?\d{1,19}$/);
  expect(first.rotated_from).not.toBe(second.rotated_from);
});

test('every sequence of rotations and parents ends as the model of the rule predicts', async () => {
  const step = fc.record({
    rotator: fc.boolean(),
    parents: fc.array(fc.boolean(), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
      owner = await createOwner(app);
      let inARow = 0;
      let isOver = false;
      for (const { rotator, parents } of steps) {
        const parent = owner.client.copy();
        app.clock.advance(60);
        const rotated = await refreshFrom(owner.client, rotator ? HOME : ELSEWHERE);
        expect(rotated.status).toBe(isOver ? 401 : 200);
        let isFollowed = false;
        for (const place of parents) {
          isFollowed ||= place !== rotator;
          if (place !== rotator && inARow === 2) isOver = true;
          const answer = await refreshFrom(parent.copy(), place ? HOME : ELSEWHERE);
          expect(answer.status).toBe(isOver ? 401 : 200);
        }
        inARow = isFollowed ? inARow + 1 : 0;
        if (isOver) break;
      }
      expect(await owner.live()).toBe(isOver ? 0 : 1);
    }),
    { numRuns: 150 },
  );
});
