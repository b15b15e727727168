import { afterEach, beforeEach, expect, vi } from 'vitest';
import { AuthClient, type AuthError } from '../../src/client/index.js';
import type { RefreshTokenStore } from '../../src/client/store.js';
import type { SettingsInput } from '../../src/index.js';
import { ClientNetwork } from './client-network.js';
import { createTestApp, type TestApp } from './test-app.js';

/** An app, and clients of it that share one network with one cookie jar. */
export class ClientApps<Claims extends object = object> {
  #app: TestApp | undefined;
  #network = new ClientNetwork();
  readonly #clients: AuthClient<Claims>[] = [];

  /** For each test of the file: `Date` stands still until it is set, and all changes of a test are undone after it. */
  constructor() {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    });
    afterEach(async () => {
      vi.useRealTimers();
      vi.restoreAllMocks();
      vi.unstubAllGlobals();
      for (const each of this.#clients.splice(0)) each.close();
      await this.#app?.close();
      this.#app = undefined;
    });
  }

  /** Starts the app of a test. Its access tokens last for ten minutes. */
  async start(settings: SettingsInput = {}): Promise<{ app: TestApp; network: ClientNetwork }> {
    const app = await createTestApp({ settings: { accessTokenLifetime: '10m', ...settings } });
    this.#app = app;
    this.#network = new ClientNetwork();
    return { app, network: this.#network };
  }

  /** Another client on the same network. */
  newClient(store?: RefreshTokenStore): AuthClient<Claims> {
    const url = `${this.#app?.url}/auth`;
    const client = new AuthClient<Claims>({ url, fetch: this.#network.fetch, ...(store && { store }) });
    this.#clients.push(client);
    return client;
  }

  /** The refresh requests, and the status of each answer. */
  refreshes(): string[] {
    return this.#network.log.filter((line) => line.startsWith('POST /auth/refresh'));
  }
}

/** The error with which a promise rejects. */
export function failure(promise: Promise<unknown>): Promise<AuthError> {
  return promise.then(
    () => expect.unreachable(),
    (error) => error,
  );
}
