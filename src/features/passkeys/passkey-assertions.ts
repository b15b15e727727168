import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { PasskeyCeremony, PasskeyChallenges } from './passkey-challenges.js';
import { passkeyError } from './passkey-errors.js';
import type { PasskeyStore, StoredPasskey } from './passkey-store.js';
import type { PasskeyVerifier, VerifiedAssertion } from './passkey-verifier.js';
import type { PasskeysService } from './passkeys.service.js';

/** A right signature, and the passkey that has made it. */
export interface PasskeyAssertion extends VerifiedAssertion {
  readonly passkey: StoredPasskey;
}

/**
 * Uses a signature up, in a transaction that has locked the user's row.
 *
 * @throws passkey_not_valid if there is no right signature, or if it was used before
 */
export type UseAssertion = (em: EntityManager) => Promise<void>;

/** Checks signatures of passkeys and uses them up. */
export class PasskeyAssertions {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'database'> & {
      readonly passkeyStore: PasskeyStore;
      readonly passkeyVerifier: PasskeyVerifier;
      readonly passkeyChallenges: PasskeyChallenges;
      readonly passkeys: PasskeysService;
    },
  ) {}

  /**
   * Checks a signature, without a lock. Undefined: the passkey is unknown or disabled, or the response is not valid.
   *
   * @param needsHandle whether the response must have the id of the user that the authenticator stores. It always must
   * have no other
   */
  async check(
    credential: unknown,
    ceremony: PasskeyCeremony,
    { needsHandle }: { readonly needsHandle: boolean },
  ): Promise<PasskeyAssertion | undefined> {
    const { id } = (credential ?? {}) as { readonly id?: unknown };
    if (typeof id !== 'string' || !/^[\w-]+$/.test(id)) return undefined;
    const passkey = await this.kernel.passkeyStore.find(id);
    if (!passkey || passkey.isDisabled) return undefined;
    const made = await this.kernel.passkeyVerifier.assertion(credential, passkey, ceremony);
    const { userHandle = needsHandle ? undefined : passkey.userHandle } = made ?? {};
    return made && userHandle === passkey.userHandle ? { ...made, passkey } : undefined;
  }

  /**
   * Runs work that uses a signature. If the counter of the passkey has not grown, `use` throws, and the passkey is
   * disabled afterwards, in a transaction that the failed work cannot roll back. A signature that was used before
   * disables nothing.
   *
   * @param assertion undefined: `use` throws
   */
  async run<T>(assertion: PasskeyAssertion | undefined, work: (use: UseAssertion) => Promise<T>): Promise<T> {
    const { passkeyStore, passkeyChallenges, passkeys } = this.kernel;
    let hasCounterFault = false;
    const use: UseAssertion = async (em) => {
      const isFirstUse = assertion && (await passkeyChallenges.use(assertion.challenge, em));
      if (!isFirstUse) throw passkeyError('passkey_refused');
      hasCounterFault = !(await passkeyStore.use(assertion.passkey, assertion, em));
      if (hasCounterFault) throw passkeyError('passkey_refused');
    };
    try {
      return await work(use);
    } catch (error) {
      if (assertion && hasCounterFault) await passkeys.disable(assertion.passkey, assertion.counter);
      throw error;
    }
  }
}

/** How a passkey authenticates its user (RFC 8176): with a key in one device, or with one that can be copied. */
export function amrOf(passkey: Pick<StoredPasskey, 'isBackupEligible'> | undefined): string[] {
  return [passkey?.isBackupEligible === false ? 'hwk' : 'swk', 'user', 'mfa'];
}
