import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Container } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJwtAllauth, RefreshToken, SettingsError, settingsFromEnv } from '../../src/index.js';
import { resolveTokenClass } from '../../src/tokens/resolve-token-class.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { createTestApp, SECRET } from '../support/test-app.js';

/** The path at which the modules of the fixtures find the one RefreshToken of this process. */
const BRIDGE = 'jwt-allauth test bridge';

let directory: string;

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'jwt-allauth-token-')));
  Object.assign(globalThis, { [BRIDGE]: RefreshToken });
  const base = `const RefreshToken = globalThis[${JSON.stringify(BRIDGE)}];\n`;
  for (const name of ['tokens', 'modern'])
    await mkdir(join(directory, 'node_modules', '@app', name), { recursive: true });
  const files = {
    'package.json': '{ "type": "module" }',
    'good.js': `${base}export class Own extends RefreshToken {}\nexport default class extends Own {}\nexport { Own as $t_1 };`,
    'same.js': `${base}export { RefreshToken };`,
    'wrong.js': 'export class Other {}\nexport const text = "t", nothing = null, fn = () => 1;\nexport let unset;',
    'instance.js': `${base}export const token = new RefreshToken('1', 0, true);`,
    'empty.js': '',
    'throws.js': 'throw new Error("no connection to the key store");',
    'throws-null.js': 'throw null;',
    'throws-text.js': 'throw "a text";',
    'syntax.js': 'export class {',
    'imports-missing.js': 'import "../nowhere.js";',
    'node_modules/@app/tokens/package.json': '{ "name": "@app/tokens", "type": "module", "exports": "./index.js" }',
    'node_modules/@app/tokens/index.js': `${base}export class Own extends RefreshToken {}`,
    'node_modules/@app/modern/package.json': JSON.stringify({
      name: '@app/modern',
      type: 'module',
      exports: { '.': { import: './index.js' }, './broken': { import: './broken.js' } },
    }),
    'node_modules/@app/modern/index.js': `${base}export class Own extends RefreshToken {}`,
    'node_modules/@app/modern/broken.js': 'throw new Error("no connection to the key store");',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  await symlink(join(directory, 'good.js'), join(directory, 'link.js'));
});
afterAll(async () => {
  Reflect.deleteProperty(globalThis, BRIDGE);
  await rm(directory, { recursive: true, force: true });
});

const resolve = (refreshToken: string | undefined, from: string) => resolveTokenClass({ refreshToken }, from);
const refusal = async (specifier: unknown): Promise<SettingsError> => {
  const outcome = await resolve(specifier as string, directory).catch((error: unknown) => error);
  if (outcome instanceof SettingsError) return outcome;
  throw new Error(`expected a SettingsError, got ${String(outcome)}`);
};

describe('REFRESH_TOKEN', () => {
  test.each([
    './good.js#Own',
    './good.js#$t_1',
    './link.js#Own',
    '@app/tokens#Own',
    '@app/modern#Own', // exports only for `import`
    './same.js#RefreshToken',
  ])('%s names a class, resolved from the working directory', async (specifier) => {
    const found = await resolve(specifier, directory);
    expect(found === RefreshToken || found.prototype instanceof RefreshToken).toBe(true);
  });

  test('can name a default export and an absolute path', async () => {
    const { default: byDefault } = await import(pathToFileURL(join(directory, 'good.js')).href);
    expect(await resolve('./good.js#default', directory)).toBe(byDefault);
    expect(await resolve(`${join(directory, 'good.js')}#default`, '/elsewhere')).toBe(byDefault);
  });

  test("defaults to the library's class", async () => {
    expect(await resolve(undefined, directory)).toBe(RefreshToken);
  });

  test.each<[specifier: string, found: RegExp]>([
    ['./nowhere.js#Own', /names the module \.\/nowhere\.js, which cannot be loaded/],
    ['@app/nowhere#Own', /names the module @app\/nowhere, which is not installed/],
    ['@app/tokens/deep.js#Own', /names the module @app\/tokens\/deep\.js, which cannot be resolved: ERR_PACKAGE_PATH/],
    ['@app/modern/deep.js#Own', /names the module @app\/modern\/deep\.js, which cannot be resolved: ERR_PACKAGE_PATH/],
    ['@app/modern/broken#Own', /names the module @app\/modern\/broken, which cannot be loaded: no connection/],
    ['./good.js#Nobody', /names Nobody, but \.\/good\.js exports .*Own/],
    ['./good.js', /names no export, but \.\/good\.js exports .*Own/],
    ['./empty.js#Own', /names Own, but \.\/empty\.js exports nothing/],
    ['./good.js#constructor', /names constructor, but \.\/good\.js exports/],
    ['./wrong.js#Other', /names Other, which is a function and not a class that extends RefreshToken/],
    ['./wrong.js#fn', /names fn, which is a function and not a class/],
    ['./wrong.js#text', /names text, which is a string and not a class/],
    ['./wrong.js#nothing', /names nothing, which is .* not a class/],
    ['./wrong.js#unset', /names unset, which is a undefined and not a class/],
    ['./instance.js#token', /names token, which is a object and not a class/],
    ['./throws.js#Own', /names the module \.\/throws\.js, which cannot be loaded: no connection to the key store/],
    ['./throws-null.js#Own', /names the module \.\/throws-null\.js, which cannot be loaded/],
    ['./throws-text.js#Own', /names the module \.\/throws-text\.js, which cannot be loaded(?!.*undefined)/],
    ['./syntax.js#Own', /names the module \.\/syntax\.js, which cannot be loaded/],
    ['./imports-missing.js#Own', /names the module \.\/imports-missing\.js, which cannot be loaded: .*nowhere/],
  ])('%s stops the start with the name of the setting and the value that was found', async (specifier, found) => {
    const { faults, code } = await refusal(specifier);
    expect(code).toBe('invalid_settings');
    expect(faults).toEqual([{ setting: 'refreshToken', message: expect.stringMatching(found) }]);
  });

  test.each([
    [
      'a class of something else',
      class Other {},
      /Other, which is a function and not a class that extends RefreshToken/,
    ],
    ['a function', () => {}, /not a class that extends RefreshToken/],
  ])('given as %s it stops the start as well', async (_, value, found) => {
    expect((await refusal(value)).faults).toEqual([{ setting: 'refreshToken', message: expect.stringMatching(found) }]);
  });

  test('is checked when the app starts, not at the first sign-in', async () => {
    const { orm, close } = await createTestApp();
    const settings = settingsFromEnv({
      JWT_ALLAUTH_SECRET_KEY: SECRET,
      JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
      JWT_ALLAUTH_REFRESH_TOKEN: './test/support/users.ts#Organization',
    });
    const starting = createJwtAllauth({ orm, settings, container: Container.of('refresh token setting') });
    await expect(starting).rejects.toThrow(/JWT_ALLAUTH_REFRESH_TOKEN names Organization, which is a function/);
    await close();
  });
});
