import { authError } from '../../error-table.js';
import { isJsonObject } from '../../http/json-object.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SessionReference } from '../../sessions/session.service.js';
import type { ReAuthentication } from '../../sign-in/re-authentication.js';
import { amrOf, type PasskeyAssertions } from './passkey-assertions.js';
import { CREDENTIAL } from './passkey-descriptions.js';
import { isRefusedPasskey } from './passkey-errors.js';
import type { PasskeyLimiter } from './passkey-limiter.js';
import { reauthenticationOf } from './passkey-sign-in.service.js';

/** Re-authentication of a signed-in user by the `credential` that a passkey has signed. */
export class PasskeyReAuthentication implements ReAuthentication<object> {
  readonly member = 'credential';
  /** The passkey is not known here. So it counts as one that can be copied (`swk`). */
  readonly amr = amrOf(undefined);
  readonly schema = CREDENTIAL;

  constructor(
    private readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'sessions' | 'sessionEndings' | 'secondFactors'
    > & {
      readonly passkeyAssertions: PasskeyAssertions;
      readonly passkeyLimiter: PasskeyLimiter;
    },
  ) {}

  /** Whether a value is an object. `check` looks at its members. */
  isProof(value: unknown): boolean {
    return isJsonObject(value);
  }

  /**
   * Uses the signature up. Each is counted for the client network (PASSKEY_RATE_LIMIT). Wrong ones are also counted
   * with the wrong answers to challenges, if another factor limits these.
   *
   * @throws incorrect_credentials, too_many_requests; token_not_valid if the caller's session has ended
   */
  async check(caller: SessionReference, proof: object, client: SessionClient): Promise<void> {
    const { database, users, sessions, sessionEndings, secondFactors, passkeyAssertions, passkeyLimiter } = this.kernel;
    await passkeyLimiter.count('reauthentication', client);
    await sessions.assertLive(caller);
    const user = users.keyOf(caller.sub);
    const response = await passkeyAssertions.check(proof, reauthenticationOf(caller), { needsHandle: false });
    try {
      await passkeyAssertions.run(response, client, (use) =>
        secondFactors.attempt(user, () =>
          database.transaction(async (em) => {
            await sessionEndings.lockUser(user, em);
            await use(user, em);
          }),
        ),
      );
    } catch (error) {
      throw isRefusedPasskey(error) ? authError('incorrect_credentials') : error;
    }
  }
}
