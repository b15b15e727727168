import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientAddress } from '../../sessions/client-network.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { PasskeyCeremony, PasskeyChallenges } from './passkey-challenges.js';
import { isRefusedPasskey, passkeyError } from './passkey-errors.js';
import type { PasskeyFault } from './passkey-events.js';
import type { PasskeyStore, StoredPasskey } from './passkey-store.js';
import { clientDataOf, type PasskeyVerifier, type VerifiedAssertion } from './passkey-verifier.js';
import type { PasskeysService } from './passkeys.service.js';

/** A response of a passkey, and what its check has found. */
export interface CheckedResponse extends Pick<PasskeyCeremony, 'purpose'> {
  /** The passkey that the response names. Undefined: the app has no such passkey. */
  readonly passkey?: StoredPasskey;
  /** The right signature. Undefined: the response is refused. */
  readonly assertion?: VerifiedAssertion;
  /** Why it is refused. */
  readonly fault?: PasskeyFault;
}

/**
 * Uses a response up for a user, in a transaction that has locked the user's row.
 *
 * @throws passkey_not_valid if it is refused, if it was used before, or if the passkey belongs to another user
 */
export type UseResponse = (user: UserId, em: EntityManager) => Promise<void>;

/** Checks the responses of passkeys, uses them up, and records the refused ones. */
export class PasskeyAssertions {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'journal'> & {
      readonly passkeyStore: PasskeyStore;
      readonly passkeyVerifier: PasskeyVerifier;
      readonly passkeyChallenges: PasskeyChallenges;
      readonly passkeys: PasskeysService;
    },
  ) {}

  /**
   * Checks a response, without a lock.
   *
   * @param needsHandle whether the response must have the id of the user that the authenticator stores (user handle).
   * If it has one, it must be the right one in any case
   */
  async check(
    credential: unknown,
    ceremony: PasskeyCeremony,
    { needsHandle }: { readonly needsHandle: boolean },
  ): Promise<CheckedResponse> {
    const { purpose } = ceremony;
    const { id } = (credential ?? {}) as { readonly id?: unknown };
    const isId = typeof id === 'string' && /^[\w-]+$/.test(id);
    const passkey = isId ? await this.kernel.passkeyStore.find(id) : undefined;
    if (!passkey) return { purpose, fault: 'unknown' };
    if (passkey.isDisabled) return { purpose, passkey, fault: 'disabled' };
    const assertion = await this.kernel.passkeyVerifier.assertion(credential, passkey, ceremony);
    const userHandle = assertion?.userHandle;
    const isHandleRight = userHandle === undefined ? !needsHandle : userHandle === passkey.userHandle;
    if (assertion && isHandleRight) return { purpose, passkey, assertion };
    return { purpose, passkey, fault: this.#faultOf(credential, ceremony) };
  }

  /** Why a response is refused that the verifier has not accepted: because of its challenge, or of anything else. */
  #faultOf(credential: unknown, ceremony: PasskeyCeremony): 'challenge' | 'response' {
    try {
      const { challenge } = clientDataOf(credential);
      return this.kernel.passkeyChallenges.open(challenge, ceremony) ? 'response' : 'challenge';
    } catch {
      return 'response'; // it has no challenge that could be read
    }
  }

  /**
   * Runs work that uses a response up. If the response is refused, this is recorded after the failed work, in a
   * transaction that it cannot roll back. If the counter has not grown, the passkey is disabled as well. A response
   * that was used before disables nothing.
   *
   * @throws what `work` throws
   */
  async run<T>(response: CheckedResponse, client: SessionClient, work: (use: UseResponse) => Promise<T>): Promise<T> {
    const { passkey, assertion } = response;
    let { fault } = response;
    let user = passkey?.user;
    const use: UseResponse = async (expected, em) => {
      user = expected;
      fault = (await this.#use(response, expected, em)) ?? fault;
      if (fault) throw passkeyError('passkey_refused');
    };
    try {
      return await work(use);
    } catch (error) {
      if (!isRefusedPasskey(error)) throw error;
      if (passkey && assertion && fault === 'counter') {
        const isDisabledNow = await this.kernel.passkeys.disable(passkey, assertion.counter);
        fault = isDisabledNow ? 'counter' : 'disabled';
      }
      if (user !== undefined && fault) await this.#record(response, { user: String(user), reason: fault }, client);
      throw error;
    }
  }

  /** Uses a response up for a user. @returns why that is refused */
  async #use(
    { passkey, assertion, fault }: CheckedResponse,
    user: UserId,
    em: EntityManager,
  ): Promise<PasskeyFault | undefined> {
    const { passkeyStore, passkeyChallenges } = this.kernel;
    if (passkey && String(passkey.user) !== String(user)) return 'foreign';
    if (!passkey || !assertion) return fault ?? 'response';
    if (!(await passkeyChallenges.use(assertion.challenge, em))) return 'replay';
    return (await passkeyStore.use(passkey, assertion, em)) ? undefined : 'counter';
  }

  async #record(
    { passkey, purpose }: CheckedResponse,
    { user, reason }: { readonly user: string; readonly reason: PasskeyFault },
    { ip }: SessionClient,
  ): Promise<void> {
    const own = passkey && reason !== 'foreign' && { passkey: passkey.id };
    const failure = { user, ...own, purpose, reason, ip: clientAddress(ip) };
    await this.kernel.journal.record([['passkey.failed', failure]]);
  }
}

/** How a passkey authenticates its user (RFC 8176): with a key in one device, or with one that can be copied. */
export function amrOf(passkey: Pick<StoredPasskey, 'isBackupEligible'> | undefined): string[] {
  return [passkey?.isBackupEligible === false ? 'hwk' : 'swk', 'user', 'mfa'];
}
