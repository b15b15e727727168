import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { ReAuthentication } from '../../sign-in/re-authentication.js';
import type { MfaRecords } from './mfa-records.js';
import { isWrongAnswer } from './totp-errors.js';
import { AMR } from './totp-factor.js';
import type { TotpProof, TotpProofs } from './totp-proofs.js';

type Kernel = Pick<AuthKernel, 'database' | 'users' | 'sessions' | 'sessionEndings' | 'secondFactors'> & {
  readonly totpProofs: TotpProofs;
  readonly mfaRecords: MfaRecords;
};

/** Re-authentication of a signed-in user by `code` of the authenticator app, or by `recoveryCode`. */
export class TotpReAuthentication implements ReAuthentication {
  readonly amr: readonly string[];

  constructor(
    private readonly kernel: Kernel,
    readonly member: 'code' | 'recoveryCode',
    private readonly method: TotpProof['method'],
  ) {
    this.amr = AMR[method];
  }

  /**
   * Uses the code up. Wrong codes are counted with those of sign-ins.
   *
   * @throws incorrect_credentials, too_many_requests; token_not_valid if the caller's session has ended
   */
  async check(caller: SessionReference, proof: string, client: SessionClient): Promise<void> {
    const { sessions, sessionEndings, users, secondFactors, totpProofs, mfaRecords, database } = this.kernel;
    const { method } = this;
    await sessions.assertLive(caller); // first, so that the access token of an ended session cannot be used to guess
    const user = users.keyOf(caller.sub);
    const use = async (em: EntityManager) => {
      await sessionEndings.lockUser(user, em);
      await totpProofs.use(user, { method, code: proof }, em);
    };
    try {
      await mfaRecords.watch({ method, client }, (setUser) => {
        setUser(user);
        return secondFactors.attempt(user, () => database.transaction(use));
      });
    } catch (error) {
      throw isWrongAnswer(error) ? authError('incorrect_credentials') : error;
    }
  }
}
