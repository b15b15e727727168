import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { MfaRecords } from './mfa-records.js';
import { AMR } from './totp-factor.js';
import type { TotpProof, TotpProofs } from './totp-proofs.js';

/** The answer to a challenge. */
export interface ChallengeAnswer extends TotpProof {
  readonly challenge: string;
}

/** Signs users in who answer the challenge of a sign-in with a code. */
export class MfaVerificationService {
  constructor(
    protected readonly kernel: Pick<AuthKernel, 'signIn'> & {
      readonly totpProofs: TotpProofs;
      readonly mfaRecords: MfaRecords;
    },
  ) {}

  /**
   * Opens the session of the sign-in that the challenge belongs to. A wrong answer is counted for the user and for the
   * challenge. When a limit is reached, the answer is not looked at.
   *
   * @throws challenge_not_valid, code_not_valid, too_many_requests, incorrect_credentials if the user's credentials
   * change at the same moment, and what a gate throws
   */
  async verify({ challenge, method, code }: ChallengeAnswer, client: SessionClient): Promise<Tokens> {
    const { signIn, totpProofs, mfaRecords } = this.kernel;
    return mfaRecords.watch({ method, client }, (setUser) => {
      const verify = async (user: UserId, em: EntityManager) => {
        setUser(user);
        await totpProofs.use(user, { method, code }, em);
      };
      return signIn.answer(challenge, { method, amr: AMR[method], verify }, client);
    });
  }
}
