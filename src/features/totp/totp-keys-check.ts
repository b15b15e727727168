import type { ModuleCheck } from '../../module-command.js';
import type { MfaService } from './mfa.service.js';

/** The check `totp-keys`: whether ENCRYPTION_KEYS has the keys of all secrets. */
export const totpKeysCheck: ModuleCheck<{ readonly mfa: MfaService }> = {
  name: 'totp-keys',
  async run({ mfa }) {
    const { encrypts, decrypts, unknown } = await mfa.secretsByKey();
    const total = encrypts + decrypts + unknown;
    if (unknown > 0) {
      const fault = `no key of JWT_ALLAUTH_ENCRYPTION_KEYS decrypts ${unknown} of ${total} secrets`;
      const remedy = 'add their key again, or reset these users with `jwt-allauth mfa reset`';
      return { status: 'failed', message: `${fault}, and their users cannot sign in: ${remedy}` };
    }
    if (decrypts > 0)
      return { status: 'ok', message: `${decrypts} of ${total} secrets still need an older encryption key: keep it` };
    return { status: 'ok', message: 'the first encryption key decrypts all secrets' };
  },
};
