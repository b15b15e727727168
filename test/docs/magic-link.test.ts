import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { importSnippet } from '../support/documented-snippet.js';
import { createMagicLinkApp, mailedTo } from '../support/magic-link-app.js';
import { blocksOf } from '../support/manual.js';
import { createPerson } from '../support/person.js';
import { claimsOf } from '../support/race.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';

const run = promisify(execFile);
const { createAuth, signInByMail } = await importSnippet('src/mail-sign-in.ts');

test('the commands of the page ask for a mail and sign in with its code', async () => {
  const [commands = ''] = blocksOf('magic-link', 'sh');
  const app = await createMagicLinkApp();
  const { id, email } = await createPerson(app);
  const cwd = await mkdtemp(join(tmpdir(), 'jwt-allauth-mail-'));
  const own = commands.replace('http://127.0.0.1:3000', app.url).replace('ada@example.com', email);
  const [asking = '', verifying = ''] = own.split('CODE=123456');
  const env = { PATH: process.env.PATH };
  const { stdout: request } = await run('bash', ['-euc', `${asking}\nprintf %s "$REQUEST"`], { cwd, env });
  expect(request).toMatch(/^[\w-]{43}$/);
  const { code } = await mailedTo(app, email);
  const [head = ''] = asking.split('REQUEST=');
  const lines = `${head}REQUEST=${request}\nCODE=${code}${verifying}`;
  const { stdout } = await run('bash', ['-euc', lines], { cwd, env });
  expect(claimsOf(JSON.parse(stdout).access)).toMatchObject({ sub: id, amr: ['mail'] });
  await rm(cwd, { recursive: true });
  await app.close();
});

describe('the sign-in of the page', () => {
  let server: StubAuthServer;
  let auth: ReturnType<typeof createAuth>;
  const ask = vi.fn<(message: string) => Promise<string | undefined>>();
  beforeEach(() => {
    server = new StubAuthServer(true);
    vi.stubGlobal('fetch', server.fetch);
    server.routes['POST /auth/magic-link'] = () => ({ status: 202, body: { request: 'r' } });
    server.routes['POST /auth/magic-link/verify'] = ({ body }) =>
      (body as { code: string }).code === '123456' ? server.opens('1') : problem('code_not_valid');
    ask.mockReset().mockResolvedValue('123456');
    auth = createAuth();
  });
  afterEach(() => {
    auth.close();
    vi.unstubAllGlobals();
  });

  test('asks for a code until it is right', async () => {
    ask.mockResolvedValueOnce('000000');
    expect(await signInByMail(auth, 'ada@example.com', ask)).toBe(true);
    expect(auth.state).toMatchObject({ status: 'signed-in' });
    expect(server.log.map(({ body }) => body)).toEqual([
      { email: 'ada@example.com' },
      { request: 'r', code: '000000' },
      { request: 'r', code: '123456' },
    ]);
    expect(ask.mock.calls.map(([message]) => message)).toEqual([
      expect.stringContaining('the mail'),
      'code_not_valid.',
    ]);
  });

  test('does nothing more if the user closes the dialog, and passes other errors on', async () => {
    ask.mockResolvedValueOnce(undefined);
    expect(await signInByMail(auth, 'ada@example.com', ask)).toBe(false);
    expect(server.requests).toEqual(['POST /auth/magic-link']);
    server.routes['POST /auth/magic-link'] = () => problem('too_many_requests');
    await expect(signInByMail(auth, 'ada@example.com', ask)).rejects.toMatchObject({ code: 'too_many_requests' });
  });
});
