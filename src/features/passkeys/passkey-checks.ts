import type { ModuleCheck } from '../../module-command.js';
import type { PasskeysOfDomain, SomeUsers } from './passkey-consistency.js';
import type { PasskeysService } from './passkeys.service.js';

type Check = ModuleCheck<{ readonly passkeys: PasskeysService }>;

/** The check `passkey-domain`: whether passkeys were made for another domain than the app has now. */
export const passkeyDomainCheck: Check = {
  name: 'passkey-domain',
  async run({ passkeys }) {
    const domains = await passkeys.countByDomain();
    const foreign = domains.filter(({ isCurrent }) => !isCurrent);
    if (foreign.length === 0) return { status: 'ok', message: 'all passkeys were made for the domain of the app' };
    const [lost, total] = [sumOf(foreign), sumOf(domains)];
    const names = foreign.map(({ rpId }) => rpId).join(', ');
    const fault = `${lost} of ${total} passkeys were made for ${names}, and do not work for the domain of the app`;
    const remedy = 'set JWT_ALLAUTH_PASSKEY_RP_ID to the earlier domain, or let these users add new passkeys';
    return { status: lost === total ? 'failed' : 'warning', message: `${fault}: ${remedy}` };
  },
};

/** The check `passkey-accounts`: whether the states of accounts agree with the stored passkeys. */
export const passkeyAccountsCheck: Check = {
  name: 'passkey-accounts',
  async run({ passkeys }) {
    const { withoutPasskey, withoutFactor } = await passkeys.inconsistentUsers();
    const faults: string[] = [];
    if (withoutPasskey.count > 0)
      faults.push(
        `the account state of ${namesOf(withoutPasskey)} names passkeys that are not stored, and their sign-ins can ` +
          'fail: reset these users with `jwt-allauth passkeys reset`',
      );
    if (withoutFactor.count > 0)
      faults.push(
        `the account state of ${namesOf(withoutFactor)} does not name their passkeys, and sign-ins do not ask for ` +
          'them: let these users remove a passkey and add it again, or reset them with `jwt-allauth passkeys reset`',
      );
    if (faults.length > 0) return { status: 'failed', message: faults.join('; ') };
    return { status: 'ok', message: 'the states of accounts agree with the stored passkeys' };
  },
};

function sumOf(domains: readonly PasskeysOfDomain[]): number {
  return domains.reduce((sum, { count }) => sum + count, 0);
}

function namesOf({ count, first }: SomeUsers): string {
  const more = count > first.length ? ', …' : '';
  return `${count} ${count === 1 ? 'user' : 'users'} (${first.join(', ')}${more})`;
}
