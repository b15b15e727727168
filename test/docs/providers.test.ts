import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { socialMethods } from '../../src/client/social.js';
import { memoryStore } from '../../src/client/store.js';
import { importSnippet } from '../support/documented-snippet.js';
import { pages } from '../support/manual.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';

const page = pages.get('docs/providers.md') ?? '';

describe('the client of the manual', async () => {
  let server: StubAuthServer;
  const kept = new Map<string, string>();
  const assigned: string[] = [];
  const open = (href: string) =>
    vi.stubGlobal('location', { href, origin: StubAuthServer.URL, assign: (url: string) => assigned.push(url) });

  beforeEach(() => {
    server = new StubAuthServer(true);
    vi.stubGlobal('fetch', server.fetch);
    vi.stubGlobal('history', { state: null, replaceState: () => {} });
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    });
  });
  afterEach(() => vi.unstubAllGlobals());
  const { auth, providerButtons, startPage } = await importSnippet('src/social-client.ts');

  test('shows buttons, returns from the provider, and asks for the second factor or shows the error', async () => {
    server.routes['GET /auth/social/providers'] = () => ({ body: [{ id: 'google', name: 'Google' }] });
    const [button] = await providerButtons();
    expect(button?.text).toBe('Sign in with Google');
    const show = vi.fn();
    const comeBack = (href: string) => {
      open('https://app.example.com/');
      button?.click();
      open(href);
      return startPage(show);
    };
    expect(await comeBack('https://app.example.com/#error=second_factor_required&challenge=c')).toBe('c');
    expect(await comeBack('https://app.example.com/?error=provider_refused')).toBeUndefined();
    expect([show.mock.calls, auth.state.status]).toEqual([[['provider_refused']], 'unknown']);
    expect(await comeBack('https://app.example.com/')).toBeUndefined();
    expect(auth.state.status).toBe('signed-in');
    const url = 'https://app.example.com/auth/social/google?returnTo=https%3A%2F%2Fapp.example.com%2F';
    expect(assigned).toEqual([url, url, url]);
    server.routes['POST /auth/refresh'] = () => problem('refresh_token_reused');
    auth.close();
  });
});

describe('the table of methods', () => {
  const rows = [...page.matchAll(/^\| `([\w.]+)\(([^`]*)\)` \| (.*?) \|/gm)].map(([, name = '', , request = '']) => ({
    name,
    requests: [...request.matchAll(/`([A-Z]+ [^`]*)`/g)].map(([, each]) => each),
  }));

  test('has every method, with its request', async () => {
    const sent: string[] = [];
    const server = new StubAuthServer();
    const client = server.newClient(memoryStore()).extend(({ request, call, refresh, state, reasonsToRepeat }) => {
      const record: typeof call = async (method, path) => {
        sent.push(`${method} ${decodeURIComponent(path)}`);
        return { url: '' } as never;
      };
      return socialMethods({ request, refresh, state, reasonsToRepeat, call: record });
    });
    vi.stubGlobal('location', { href: 'https://app.example.com/', assign: () => {} });
    vi.stubGlobal('sessionStorage', { setItem: () => {} });
    const { social, signInUrl, signInWith, finishSignIn } = client;
    const names = [...Object.keys({ signInUrl, signInWith, finishSignIn })];
    expect(rows.map(({ name }) => name).sort()).toEqual(
      [...names, ...Object.keys(social).map((name) => `social.${name}`)].sort(),
    );
    for (const { name, requests } of rows.filter((row) => row.name.startsWith('social.'))) {
      sent.splice(0);
      const method = social[name.replace('social.', '') as keyof typeof social] as (...args: unknown[]) => unknown;
      await method(name.endsWith('disconnect') ? ':id' : ':provider', {});
      expect([name, sent]).toEqual([name, requests]);
    }
    server.close();
    vi.unstubAllGlobals();
  });
});
