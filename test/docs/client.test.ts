import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyPairKeyObjectResult, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthClient, type AuthClientOptions, AuthError, type KeyPlace } from '../../src/client/index.js';
import { magicLinkMethods } from '../../src/client/magic-link.js';
import { mailMethods } from '../../src/client/mail-methods.js';
import { stepUp } from '../../src/client/step-up.js';
import { memoryStore } from '../../src/client/store.js';
import { mfaMethods } from '../../src/features/totp/totp.client.js';
import { ClientNetwork } from '../support/client-network.js';
import { blockWith, importSnippet } from '../support/documented-snippet.js';
import { DpopServer } from '../support/dpop-server.js';
import { pages } from '../support/manual.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

const run = promisify(execFile);

/** The rows of a section: the texts of their cells. */
function rowsOf(section: string, page = 'browser-client'): string[][] {
  const [, text = ''] = (pages.get(`docs/${page}.md`) ?? '').split(`\n## ${section}\n`);
  const lines = (text.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('the tables of methods', () => {
  const newClient = (options: Partial<AuthClientOptions> = {}) =>
    new AuthClient({ url: 'https://app.example.com/auth', ...options })
      .extend(mailMethods)
      .extend(stepUp(() => false))
      .extend(mfaMethods)
      .extend(magicLinkMethods);
  const rows = [
    ...rowsOf('Methods'),
    ...rowsOf('From the browser', 'accounts-by-mail'),
    ...rowsOf('Methods', 'second-factor-client'),
    ...rowsOf('Methods', 'magic-link'),
  ];
  const calls = rows.flatMap(([methods = '', request = '', result = '']) =>
    [...methods.matchAll(/`([\w.]+)\(([^`]*)\)`/g)].map(([, name = '', parameters = '']) => {
      return { name, parameters, request, result };
    }),
  );

  test('have every method of the client and of its optional parts, once', () => {
    const { mfa, ...client } = newClient();
    const methods = [...Object.getOwnPropertyNames(AuthClient.prototype), ...Object.keys(client)];
    const expected = methods.filter((name) => !['constructor', 'state', 'reasonsToRepeat'].includes(name));
    expected.push(...Object.keys(mfa).map((name) => `mfa.${name}`));
    expect(calls.map(({ name }) => name).sort()).toEqual(expected.sort());
  });

  test.each(
    calls.filter(
      ({ name }) => !/^(call|request|fetch|accessToken|replaceToken|subscribe|close|extend|finishLink)$/.test(name),
    ),
  )('$name sends the requests in the table', async ({ name, parameters, request }) => {
    const asked: Request[] = [];
    const claims = { sub: '1', jti: '1', session: '1', iat: 0, exp: 600 };
    const access = `e30.${btoa(JSON.stringify(claims))}.x`;
    const client = newClient({
      store: memoryStore(),
      fetch: async (each) => {
        asked.push(each);
        return Response.json({ access, refresh: 'refresh' });
      },
    });
    await client.login({ email: 'a@example.com', password: PASSWORD });
    if (name === 'restore') vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 700_000); // the token has expired
    asked.splice(0);
    const fields = [...parameters.matchAll(/\w+/g)].map(([field]) => field);
    const argument = parameters === 'id' ? ':id' : Object.fromEntries(fields.map((field) => [field, 'value']));
    type Methods = Record<string, (argument?: unknown) => Promise<unknown>>;
    const group = (name.startsWith('mfa.') ? client.mfa : client) as unknown as Methods;
    await group[name.replace('mfa.', '')]?.(argument);
    client.close();
    vi.restoreAllMocks();
    const [sent] = asked;
    const path = decodeURIComponent(new URL(sent?.url ?? '').pathname.replace('/auth', ''));
    expect(`${sent?.method} ${path}`).toBe(/`([^`]*)`/.exec(request)?.[1]);
    if (fields.length > 0 && parameters !== 'id') expect(Object.keys((await sent?.json()) as object)).toEqual(fields);
  });
});

test('the table of errors has each code that the client adds', () => {
  const source = readFileSync('src/client/auth-error.ts', 'utf8');
  const [, union = ''] = /ClientErrorCode =([\s\S]*?';)\n/.exec(source) ?? [];
  const codes = [...union.matchAll(/\| '(\w+)'/g)].map(([, code]) => `\`${code}\``);
  expect(rowsOf('Errors').map(([code]) => code)).toEqual(codes);
});

test('`isTemporary` is true for the errors for which the page says it', () => {
  const isTemporary = (code: string, status: number) => new AuthError(code, status, '').isTemporary;
  expect([isTemporary('network_error', 0), isTemporary('store_failed', 0), isTemporary('x', 503)]).toEqual([
    true,
    true,
    true,
  ]);
  expect([isTemporary('too_many_requests', 429), isTemporary('internal_error', 500)]).toEqual([false, false]);
});

test('the line for a page without a bundler makes a file that exports the client', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'jwt-allauth-bundle-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(resolve('.'), join(folder, 'node_modules/jwt-allauth'));
  const line = blockWith('sh', '--bundle').replace('npx', '').trim();
  await run('sh', ['-ec', `"${resolve('node_modules/.bin')}"/${line}`], { cwd: folder });
  const bundle = await import(pathToFileURL(join(folder, 'public/jwt-allauth.js')).href);
  expect(bundle.AuthClient).toEqual(expect.any(Function));
  await rm(folder, { recursive: true });
});

test('the component for React compiles', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'jwt-allauth-react-'));
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(resolve('.'), join(modules, 'jwt-allauth'));
  await writeFile(join(folder, 'auth.tsx'), blockWith('tsx', 'useSyncExternalStore'));
  await writeFile(
    join(folder, 'react.d.ts'),
    `declare module 'react' {
       export type ReactNode = object | string | undefined;
       export interface FormEvent<T> { readonly currentTarget: T; preventDefault(): void }
       export function useEffect(effect: () => void, inputs: readonly unknown[]): void;
       export function useState<T>(initial: T): [T, (next: T) => void];
       export function useSyncExternalStore<T>(subscribe: (listener: () => void) => () => void, get: () => T): T;
     }
     declare module 'react/jsx-runtime' {
       export namespace JSX {
         type Element = object;
         interface IntrinsicElements { [name: string]: Record<string, unknown> }
         interface ElementChildrenAttribute { children: object }
       }
     }`,
  );
  const options = { strict: true, noEmit: true, jsx: 'react-jsx', module: 'nodenext', target: 'es2022' };
  const types = { types: [], lib: ['es2022', 'dom'], skipLibCheck: true };
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, ...types } }));
  const compiled = await run(process.execPath, [resolve('node_modules/typescript/bin/tsc')], { cwd: folder }).then(
    () => '',
    ({ stdout }) => stdout,
  );
  await rm(folder, { recursive: true });
  expect(compiled).toBe('');
});

describe('the clients of the manual', () => {
  let app: TestApp;
  let network: ClientNetwork;
  beforeEach(async () => {
    const own = express();
    app = await createTestApp({ own, settings: { refreshTokenTransport: 'both' } });
    own.get('/profile', app.auth.requireAuth(), ({ principal }, response) => void response.json(principal?.claims));
    network = new ClientNetwork();
    await app.signedUp('client@example.com');
  });
  afterEach(async () => {
    vi.unstubAllGlobals();
    await app.close();
  });

  test('the first one signs in once, and is restored the next time', async () => {
    const send = globalThis.fetch;
    vi.stubGlobal('fetch', async (request: Request) => {
      if (!request.url.startsWith('https://app.example.com')) return send(request);
      const { method, headers, credentials, url } = request;
      const body = (await request.text()) || null;
      const moved = url.replace('https://app.example.com', app.url);
      return network.fetch(new Request(moved, { method, headers, credentials, body }));
    });
    const { auth, start } = await importSnippet('src/browser.ts');
    expect(await start('client@example.com', PASSWORD)).toMatchObject({ token_type: 'access' });
    expect(auth.state).toMatchObject({ status: 'signed-in' });
    await start('client@example.com', PASSWORD);
    auth.close();
    const paths = network.log.map((line) => line.replace(/ \d+$/, ''));
    expect(paths.filter((each) => each === 'POST /auth/login')).toHaveLength(1);
  });

  test('the one for mobile apps keeps its token in the keychain across restarts, until it signs out', async () => {
    const { createAuth } = await importSnippet('src/keychain.ts');
    const kept = new Map<string, string>();
    const keychain = {
      getItemAsync: async (key: string) => kept.get(key) ?? null,
      setItemAsync: async (key: string, value: string) => void kept.set(key, value),
      deleteItemAsync: async (key: string) => void kept.delete(key),
    };
    const first = createAuth(keychain, `${app.url}/auth`) as AuthClient;
    expect(await first.restore()).toMatchObject({ status: 'signed-out' });
    await first.login({ email: 'client@example.com', password: PASSWORD });
    const [token] = kept.values();
    const second = createAuth(keychain, `${app.url}/auth`) as AuthClient;
    expect(await second.restore()).toMatchObject({ status: 'signed-in' });
    expect([...kept.values()]).not.toEqual([token]);
    await second.logout();
    expect(kept.size).toBe(0);
    for (const client of [first, second]) client.close();
  });
});

describe('the keys of the manual for mobile apps', () => {
  let server: DpopServer;
  beforeEach(async () => {
    server = await DpopServer.start();
  });
  afterEach(() => server.close());

  /** The storage and the hardware of a phone: keys of P-256, which sign in DER, as on Android. */
  function newPhone() {
    const [kept, pairs] = [new Map<string, string>(), new Map<string, KeyPairKeyObjectResult>()];
    return {
      kept,
      secureStore: {
        getItemAsync: async (key: string) => kept.get(key) ?? null,
        setItemAsync: async (key: string, value: string) => void kept.set(key, value),
        deleteItemAsync: async (key: string) => void kept.delete(key),
      },
      keystore: {
        aliases: pairs,
        createKey: async (alias: string) => {
          const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
          pairs.set(alias, pair);
          return pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
        },
        sign: async (alias: string, data: string) => {
          const key = pairs.get(alias)?.privateKey ?? expect.unreachable();
          return sign('sha256', Buffer.from(data, 'base64'), key).toString('base64');
        },
      },
    };
  }

  test('bind each session to a key of the phone, which never has more than two', async () => {
    const { keysIn } = await importSnippet('src/keystore.ts');
    const { keystore, secureStore, kept } = newPhone();
    const store = memoryStore();
    const start = () =>
      new AuthClient({ url: `${server.url}/auth`, store, keys: keysIn(keystore, secureStore) as KeyPlace });
    for (const name of ['ada', 'grace', 'edith']) {
      const client = start();
      expect(await client.login({ email: `${name}@example.com`, password: PASSWORD })).toMatchObject({
        claims: { sub: `${name}@example.com` },
      });
      await client.refresh();
      expect(await start().restore()).toMatchObject({ claims: { sub: `${name}@example.com` } });
    }
    expect(new Set(server.keys).size).toBe(3);
    expect(keystore.aliases.size).toBe(2);
    expect(server.log.filter((line) => !line.endsWith('200 proof'))).toEqual([]);
    await start().logout();
    expect(kept.size).toBe(0);
  });
});

test('the authenticator of the manual accepts only the right key, and none if no key is set', async () => {
  const { Machines } = await importSnippet('src/machines.ts');
  const ask = (key?: string) => new Machines().authenticate({ headers: { ...(key && { 'x-machine-key': key }) } });
  const refused = { code: 'machine_unknown', httpCode: 401 };
  await expect(ask('undefined')).rejects.toMatchObject(refused);
  vi.stubEnv('MACHINE_KEY', 'the key of the machine');
  expect(await ask('the key of the machine')).toMatchObject({ kind: 'machine', id: '42', role: 700 });
  await expect(ask('the key of the machinf')).rejects.toMatchObject(refused);
  expect(await ask()).toBeUndefined();
  vi.unstubAllEnvs();
});
