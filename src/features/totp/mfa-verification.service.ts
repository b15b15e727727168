import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';
import type { MfaFailures } from './mfa-failures.js';
import type { TotpProofs } from './totp-proofs.js';

/** The answer to a challenge: a code of the authenticator app, or a recovery code. */
export interface ChallengeAnswer {
  readonly challenge: string;
  readonly method: 'totp' | 'recovery_code';
  readonly code: string;
}

/** What the methods add to the `amr` of a session (RFC 8176; `recovery` is a name of this library). */
export const AMR = { totp: ['otp', 'mfa'], recovery_code: ['recovery', 'mfa'], totp_setup: ['otp', 'mfa'] } as const;

/** Signs users in who answer the challenge of a sign-in with a code. */
export class MfaVerificationService {
  constructor(
    protected readonly kernel: Pick<AuthKernel, 'signIn'> & {
      readonly totpProofs: TotpProofs;
      readonly mfaFailures: MfaFailures;
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
    return this.kernel.mfaFailures.watch({ method, client }, (isAbout) => {
      const verify = async (user: UserId, em: EntityManager) => {
        isAbout(user);
        await this.#use(method, user, code, em);
      };
      return this.kernel.signIn.answer(challenge, { method, amr: AMR[method], verify }, client);
    });
  }

  async #use(method: ChallengeAnswer['method'], user: UserId, code: string, em: EntityManager): Promise<void> {
    const { totpProofs } = this.kernel;
    if (method === 'totp') await totpProofs.useCode(user, code, em);
    else await totpProofs.useRecoveryCode(user, code, em);
  }
}
