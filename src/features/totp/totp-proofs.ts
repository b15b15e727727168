import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { UserId } from '../../users/base-user.entity.js';
import { hashOfRecoveryCode } from './recovery-codes.js';
import { stepOfCode } from './totp-codes.js';
import { totpError } from './totp-errors.js';
import type { TotpStore } from './totp-store.js';

/** Checks codes and uses them up. The caller must hold a lock on the user's row, and must limit guesses. */
export class TotpProofs {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'clock' | 'users' | 'mails' | 'journal'> & {
      readonly totpStore: TotpStore;
    },
  ) {}

  /** Uses the code of an authenticator app up. @throws code_not_valid also for a code that was used before */
  async useCode(user: UserId, code: string, em: EntityManager): Promise<void> {
    const { totpStore, clock } = this.kernel;
    const found = await totpStore.find(user, em);
    const step = found?.isConfirmed ? stepOfCode(found.secret, code, clock.now()) : undefined;
    if (!found || step === undefined || !(await totpStore.useStep(user, step, found, em)))
      throw totpError('code_not_valid');
  }

  /** Uses a recovery code up, records the event and mails a notice. @throws code_not_valid */
  async useRecoveryCode(user: UserId, code: string, em: EntityManager): Promise<void> {
    const { totpStore, users, mails, journal } = this.kernel;
    const found = await totpStore.find(user, em);
    const hash = found?.isConfirmed ? hashOfRecoveryCode(code, found.secret) : undefined;
    const left = found && hash && (await totpStore.useRecoveryCode(user, hash, found, em));
    if (typeof left !== 'number') throw totpError('code_not_valid');
    await journal.record([['mfa.recovery-code-used', { user: String(user), left }]], em);
    const account = await users.findById(user, em);
    if (account) await mails.sendNotice('recovery-code-used', account.email, em);
  }
}
