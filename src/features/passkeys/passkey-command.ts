import type { ModuleCommand } from '../../module-command.js';
import type { PasskeysService } from './passkeys.service.js';

/** The command `passkeys reset`. */
export const passkeysResetCommand: ModuleCommand<{ readonly passkeys: PasskeysService }> = {
  name: 'passkeys reset',
  description:
    'Removes all passkeys of a user who has lost them, and ends all sessions of the user. Check first that the ' +
    'request comes from the user.',
  options: [{ flags: '--user <id or e-mail>', description: 'the user', isRequired: true }],
  async run({ auth, options, findUser, print }) {
    const isReset = await auth.passkeys.reset(await findUser(String(options['user'])));
    if (!isReset) throw new Error('the user has no passkeys');
    print('all passkeys of the user were removed, and all sessions of the user were revoked');
  },
};
