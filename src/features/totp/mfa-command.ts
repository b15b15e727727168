import type { ModuleCommand } from '../../module-command.js';
import type { MfaService } from './mfa.service.js';

/** The command `mfa reset`. */
export const mfaResetCommand: ModuleCommand<{ readonly mfa: MfaService }> = {
  name: 'mfa reset',
  description:
    'Removes the authenticator app and the recovery codes of a user who has lost them, and ends all sessions of the ' +
    'user. Check first that the request comes from the user.',
  options: [{ flags: '--user <id or e-mail>', description: 'the user', isRequired: true }],
  async run({ auth, options, findUser, print }) {
    const isReset = await auth.mfa.reset(await findUser(String(options['user'])));
    if (!isReset) throw new Error('the user has no authenticator app');
    print('the authenticator app was removed, and all sessions of the user were revoked');
  },
};
