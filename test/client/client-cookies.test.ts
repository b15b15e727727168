import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ClientApps, failure } from '../support/client-apps.js';
import type { ClientNetwork } from '../support/client-network.js';
import type { TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const ADA = { email: 'ada@example.com', password: PASSWORD };

const apps = new ClientApps();
let app: TestApp;
let network: ClientNetwork;

describe('the cookie of a client', () => {
  const FOREIGN = 'https://app.example.com/';

  beforeEach(async () => {
    ({ app, network } = await apps.start());
  });

  /** Connects the clients to a page. */
  function openPage(href = app.url, isSecureContext = true): void {
    vi.stubGlobal('location', new URL(href));
    vi.stubGlobal('isSecureContext', isSecureContext);
  }

  /** Holds back the answers of a path until the result is called; `isNear` when the server has given the first. */
  function pause(path: string): (() => void) & { readonly isNear: Promise<void> } {
    const [near, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    network.pause = (asked) => {
      if (asked !== path) return undefined;
      near.resolve();
      return held.promise;
    };
    return Object.assign(held.resolve, { isNear: near.promise });
  }

  /** Waits for the tabs' lock, as another tab does. Calling the result releases it. */
  async function waitNext(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    void navigator.locks.request(`jwt-allauth ${app.url}/auth`, () => promise);
    await navigator.locks.query(); // the lock request is queued
    return resolve;
  }

  test('that is not valid any more is removed once, when a refresh is finally refused', async () => {
    const client = apps.newClient();
    await client.register(ADA);
    await app.database.pool.query('delete from auth_session');
    network.log.length = 0;
    const ended = await Promise.all([client.refresh(), client.refresh()]);
    expect(ended).toEqual(Array(2).fill({ status: 'signed-out', reason: 'token_not_valid' }));
    await vi.waitFor(() => expect(network.cookies).toEqual(new Map()));
    expect(network.log).toEqual([
      'POST /auth/refresh 401',
      expect.stringMatching(/^POST \/auth\/logout/),
      'POST /auth/refresh 204',
    ]);
    expect(await apps.newClient().restore()).toEqual({ status: 'signed-out', reason: undefined });
  });

  test('that a visitor does not have causes one refresh and no removal', async () => {
    openPage();
    expect(await apps.newClient().restore()).toEqual({ status: 'signed-out', reason: undefined });
    await app.signedUp('meanwhile@example.com'); // longer than a request takes
    expect(network.log).toEqual(['POST /auth/refresh 204']);
  });

  test('of a sign-in at the same time is not removed', async () => {
    const client = apps.newClient();
    await client.register(ADA);
    await app.database.pool.query('delete from auth_session');
    const [, signedIn] = await Promise.all([client.refresh(), client.login(ADA)]);
    expect(signedIn).toMatchObject({ status: 'signed-in' });
    expect(await client.refresh()).toMatchObject({ status: 'signed-in' });
    expect(await app.liveSessions()).toBe(1);
  });

  test('is not touched if the tabs of a page have no locks', async () => {
    openPage();
    vi.stubGlobal('navigator', undefined);
    const client = apps.newClient();
    await client.register(ADA);
    await app.database.pool.query('delete from auth_session');
    await client.refresh();
    await app.signedUp('meanwhile@example.com'); // longer than a request takes
    expect(network.log).toEqual(['POST /auth/registration 201', 'POST /auth/refresh 401']);
    expect(network.cookies.size).toBe(1);
    expect(client.state).toEqual({ status: 'signed-out', reason: 'token_not_valid' });
  });

  test.each([
    ['of another site', FOREIGN, true],
    ['without TLS', undefined, false],
  ])('that a browser refuses on a page %s is reported at sign-in', async (_, href, isSecure) => {
    openPage(href, isSecure);
    const client = apps.newClient();
    await client.register(ADA);
    expect(client.state.status).toBe('signed-in');
    expect(apps.refreshes()).toEqual(['POST /auth/refresh 200']);
    network.cookies.clear();
    network.isWithoutCookies = true;
    const forgetful = apps.newClient();
    expect(await failure(forgetful.login(ADA))).toMatchObject({ code: 'cookie_not_kept', isTemporary: false });
    expect(forgetful.state).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
  });

  test('that is refused is reported at sign-in, even if a renewal began before and waits for its turn', async () => {
    openPage(FOREIGN);
    await app.signedUp(ADA.email);
    network.isWithoutCookies = true;
    const client = apps.newClient();
    const letAnswer = pause('/auth/login');
    const signedIn = failure(client.login(ADA));
    await letAnswer.isNear;
    const letGo = await waitNext(); // between the sign-in and the renewal
    const restored = client.restore();
    letAnswer();
    await app.signedUp('meanwhile@example.com'); // longer than a request takes
    letGo();
    expect(await signedIn).toMatchObject({ code: 'cookie_not_kept' });
    expect(await restored).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
    expect(client.state).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
    expect(apps.refreshes()).toEqual(Array(2).fill('POST /auth/refresh 204')); // the check, and the renewal
  });

  test('that is kept is not reported as refused if another tab signs out right after the sign-in', async () => {
    openPage(FOREIGN);
    const [client, other] = [apps.newClient(), apps.newClient()];
    await app.signedUp(ADA.email);
    const letAnswer = pause('/auth/login');
    const signedIn = client.login(ADA);
    await letAnswer.isNear;
    const signedOut = other.logout();
    letAnswer();
    await signedIn;
    await signedOut;
    await vi.waitFor(() => expect(client.state).toEqual({ status: 'signed-out', reason: undefined }));
    expect(network.log).toEqual(['POST /auth/login 200', 'POST /auth/refresh 200', 'POST /auth/logout 204']);
  });

  test('that cannot be checked after the sign-in is not reported as refused', async () => {
    openPage(FOREIGN);
    const client = apps.newClient();
    network.fails('/auth/refresh', 'lost', 'lost', 'lost', 'lost');
    expect(await client.register(ADA)).toBe('signed-in');
    expect(client.state).toMatchObject({ status: 'signed-in' });
    expect(apps.refreshes()).toEqual(Array(4).fill('POST /auth/refresh -'));
  });

  test('that is missing at the first refresh is reported as the reason of the sign-out', async () => {
    const client = apps.newClient();
    await client.register(ADA);
    network.cookies.clear();
    expect(await client.refresh()).toEqual({ status: 'signed-out', reason: 'cookie_not_kept' });
  });
});
