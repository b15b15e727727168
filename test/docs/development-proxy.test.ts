import { transform } from 'esbuild';
import { createServer, type InlineConfig, type ViteDevServer } from 'vite';
import { afterEach, expect, test } from 'vitest';
import { blockWith } from '../support/documented-snippet.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';

let app: TestApp;
let vite: ViteDevServer;
afterEach(async () => {
  await vite.close();
  await app.close();
});

/** Starts the development server with the configuration of the manual, and returns its origin. */
async function start(change: (config: string) => string): Promise<string> {
  app = await createTestApp();
  const text = change(blockWith('js', '// vite.config.js')).replaceAll('http://localhost:3000', app.url);
  const { code } = await transform(text, { format: 'esm' });
  const { default: config } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    default: InlineConfig;
  };
  vite = await createServer({
    ...config,
    configFile: false,
    logLevel: 'silent',
    optimizeDeps: { noDiscovery: true },
    server: { ...config.server, host: '127.0.0.1', watch: null },
  });
  await vite.listen();
  return vite.resolvedUrls?.local[0]?.replace(/\/$/, '') ?? '';
}

const signUp = (origin: string) =>
  fetch(`${origin}/auth/registration`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'vite@example.com', password: PASSWORD }),
  });

test('a page of the development server signs up through its proxy', async () => {
  const answer = await signUp(await start((config) => config));
  expect(answer.status).toBe(201);
  expect(answer.headers.getSetCookie()[0]).toMatch(/^refresh_token=/);
});

test('the short form of the proxy changes Host, so that the page counts as foreign', async () => {
  const short = (config: string) => config.replace(/\{ target: ('[^']*'), changeOrigin: false \}/, '$1');
  const answer = await signUp(await start(short));
  expect([answer.status, await answer.json()]).toMatchObject([403, { code: 'csrf_failed' }]);
});
