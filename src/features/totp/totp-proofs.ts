import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { MfaRecords } from './mfa-records.js';
import { hashOfRecoveryCode } from './recovery-codes.js';
import { stepOfCode } from './totp-codes.js';
import { totpError } from './totp-errors.js';
import type { TotpStore } from './totp-store.js';

/** A code of the authenticator app, or a recovery code. */
export interface TotpProof {
  readonly method: 'totp' | 'recovery_code';
  readonly code: string;
}

/** Checks codes and uses them up. The caller must hold a lock on the user's row, and must limit guesses. */
export class TotpProofs {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'clock'> & {
      readonly totpStore: TotpStore;
      readonly mfaRecords: MfaRecords;
    },
  ) {}

  /** Uses a code up. Records the use of a recovery code. @throws code_not_valid also for a code that was used before */
  async use(user: UserId, { method, code }: TotpProof, em: EntityManager): Promise<void> {
    const isUsed = method === 'totp' ? this.#useCode(user, code, em) : this.#useRecoveryCode(user, code, em);
    if (!(await isUsed)) throw totpError('code_not_valid');
  }

  async #useCode(user: UserId, code: string, em: EntityManager): Promise<boolean> {
    const { totpStore, clock } = this.kernel;
    const found = await totpStore.find(user, em);
    const step = found?.isConfirmed ? stepOfCode(found.secret, code, clock.now()) : undefined;
    return found !== undefined && step !== undefined && totpStore.useStep(user, { ...found, step }, em);
  }

  async #useRecoveryCode(user: UserId, code: string, em: EntityManager): Promise<boolean> {
    const { totpStore, mfaRecords } = this.kernel;
    const found = await totpStore.find(user, em);
    if (!found?.isConfirmed) return false;
    const hash = hashOfRecoveryCode(code, found.secret);
    const left = await totpStore.useRecoveryCode(user, { ...found, hash }, em);
    if (left === undefined) return false;
    const event = ['mfa.recovery-code-used', { user: String(user), left }] as const;
    await mfaRecords.change(user, { events: [event], notice: 'recovery-code-used' }, em);
    return true;
  }
}
