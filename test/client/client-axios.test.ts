import { readFile } from 'node:fs/promises';
import { transform } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { ClientNetwork } from '../support/client-network.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

/** The part of a request that the manual's interceptors see. */
interface Config {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body?: object;
}

/** Holds the interceptors of axios, and sends through a network. */
class AxiosStub {
  #before = async (config: Config) => config;
  #failed = async (error: unknown): Promise<unknown> => Promise.reject(error);
  readonly interceptors = {
    request: {
      use: (before: (config: Config) => Promise<Config>) => {
        this.#before = before;
      },
    },
    response: {
      use: (_done: undefined, failed: (error: unknown) => Promise<unknown>) => {
        this.#failed = failed;
      },
    },
  };

  constructor(private readonly network: ClientNetwork) {}

  async request(given: Config): Promise<unknown> {
    const config = await this.#before(given);
    const { method, path, headers, body } = config;
    headers.set('Content-Type', 'application/json');
    const answer = await this.network.fetch(
      new Request(app.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) }),
    );
    const response = { status: answer.status, data: await answer.json() };
    return answer.ok ? response : this.#failed({ config, response });
  }
}

let app: TestApp;
let network: ClientNetwork;
let client: AuthClient;
let api: AxiosStub;

beforeEach(async () => {
  app = await createTestApp({ settings: { accessTokenLifetime: '10m' } });
  network = new ClientNetwork();
  client = new AuthClient({ url: `${app.url}/auth`, fetch: network.fetch });
  api = new AxiosStub(network);
  const readme = await readFile('docs/browser-client.md', 'utf8');
  const [, snippet = ''] = /```ts\n(\/\/ src\/use-tokens\.ts\n[\s\S]*?)```/.exec(readme) ?? [];
  const { code } = await transform(snippet, { loader: 'ts' });
  const { useTokens } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  useTokens(api, client);
  await client.register({ email: 'axios@example.com', password: PASSWORD });
  network.log.length = 0;
});
afterEach(async () => {
  client.close();
  await app.close();
});

const get = () => api.request({ method: 'GET', path: '/auth/user', headers: new Headers() });

test('the interceptors in the manual repeat eight refused requests after one refresh', async () => {
  app.clock.advance('11m');
  const answers = await Promise.all(Array.from({ length: 8 }, get));
  expect(answers).toMatchObject(Array(8).fill({ status: 200, data: { email: 'axios@example.com' } }));
  expect(network.log.filter((line) => line.startsWith('POST'))).toEqual(['POST /auth/refresh 200']);
  expect(network.log).toHaveLength(17);
});

test('a wrong password is sent once, and a signed-out user gets the 401', async () => {
  const body = { oldPassword: 'not the password', newPassword: 'another sentence, as long' };
  const change = { method: 'POST', path: '/auth/password/change', headers: new Headers(), body };
  const wrong = { response: { status: 401, data: { code: 'incorrect_credentials' } } };
  await expect(api.request(change)).rejects.toMatchObject(wrong);
  expect(network.log).toEqual(['POST /auth/password/change 401']);
  await app.database.pool.query('delete from auth_session');
  app.clock.advance('11m');
  await expect(get()).rejects.toMatchObject({ response: { status: 401 } });
  expect(network.log.filter((line) => line.startsWith('GET'))).toEqual(['GET /auth/user 401']);
});
