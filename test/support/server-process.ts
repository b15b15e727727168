import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SettingsInput } from '../../src/index.js';
import { secrets } from './secrets.js';

const MAIN = fileURLToPath(new URL('../../dist/test/support/server-main.js', import.meta.url));

/**
 * A second server of the same app in its own process, as behind a load balancer.
 *
 * @param more `hasFactors`: it has the second factors of `codes.module.ts` and of `jwt-allauth/totp`. `hasMagicLinks`: it
 * has `codes.module.ts` and `jwt-allauth/magic-link`. `hasProviders`: it has `jwt-allauth/social`. `hasPasskeys`: it has
 * `jwt-allauth/passkeys` and `jwt-allauth/totp`
 */
export async function startServerProcess(
  databaseUrl: string,
  settings: SettingsInput,
  more: Partial<Record<'hasFactors' | 'hasMagicLinks' | 'hasProviders' | 'hasPasskeys', boolean>> = {},
) {
  const child = fork(MAIN, [JSON.stringify({ databaseUrl, settings, ...more })], { silent: true });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => secrets.saw('the output of a server process', String(chunk)));
  }
  const [port] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server process ended with ${code}`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
