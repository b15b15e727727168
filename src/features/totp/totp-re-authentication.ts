import type { EntityManager } from '@mikro-orm/postgresql';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { ReAuthentication } from '../../sign-in/re-authentication.js';
import type { BaseUser } from '../../users/base-user.entity.js';
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
   * Uses the code up, and returns the caller's user. Wrong codes are counted with those of sign-ins.
   *
   * @throws incorrect_credentials, too_many_requests; token_not_valid if the caller's session has ended
   */
  async check(caller: SessionReference, proof: string, client: SessionClient): Promise<BaseUser> {
    const { sessions, users, secondFactors, mfaRecords, database } = this.kernel;
    await sessions.assertLive(caller); // first, so that the access token of an ended session cannot be used to guess
    const user = users.keyOf(caller.sub);
    try {
      return await mfaRecords.watch({ method: this.method, client }, (isAbout) => {
        isAbout(user);
        return secondFactors.attempt(user, () => database.transaction((em) => this.#use(caller, proof, em)));
      });
    } catch (error) {
      throw isWrongAnswer(error) ? authError('incorrect_credentials') : error;
    }
  }

  async #use(caller: SessionReference, code: string, em: EntityManager): Promise<BaseUser> {
    const { users, sessionEndings, totpProofs } = this.kernel;
    const user = users.keyOf(caller.sub);
    await sessionEndings.lockUser(user, em);
    await totpProofs.use(user, { method: this.method, code }, em);
    return users.getActive(em, caller.sub);
  }
}
