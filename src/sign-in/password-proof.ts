import type { SessionClient } from '../sessions/client-device.js';
import { clientNetwork } from '../sessions/client-network.js';
import type { SessionReference, SessionService } from '../sessions/session.service.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { PasswordHasher } from '../users/password-hasher.js';
import type { UserService } from '../users/user.service.js';
import type { LoginFailures } from './login-failures.js';
import type { LoginLimiter } from './login-limiter.js';
import type { ReAuthentication } from './re-authentication.js';

/**
 * Checks the password of a signed-in user again, before actions for which an access token alone is not enough, because
 * it may be stolen.
 */
export class PasswordProof implements ReAuthentication {
  readonly member = 'password';
  readonly amr = ['pwd'];

  constructor(
    protected readonly kernel: {
      readonly users: UserService;
      readonly hasher: PasswordHasher;
      readonly loginLimiter: LoginLimiter;
      readonly loginFailures: LoginFailures;
      readonly sessions: SessionService;
    },
  ) {}

  /**
   * Checks the password. Wrong passwords are counted for the caller's session, with the limits of LOGIN_RATE_LIMIT.
   *
   * @throws incorrect_credentials, too_many_requests; token_not_valid if the caller's session has ended;
   * service_unavailable if too many password checks wait
   */
  async check(caller: SessionReference, password: string, client: SessionClient): Promise<void> {
    // First, so that the access token of an ended session cannot be used to guess the password.
    await this.kernel.sessions.assertLive(caller);
    const user = await this.kernel.users.getActiveWithPassword(caller.sub);
    await this.checkFor(caller, user, password, client);
  }

  /**
   * Checks the password of a user who is already loaded.
   *
   * @throws incorrect_credentials, too_many_requests; service_unavailable if too many password checks wait
   */
  async checkFor(
    { session }: SessionReference,
    user: BaseUser,
    password: string,
    client: SessionClient,
  ): Promise<void> {
    // The hasher serves the networks of clients in turn.
    const work = { network: clientNetwork(client.ip) };
    await this.kernel.loginFailures.watch(client, (setUser) => {
      setUser(String(user.id));
      return this.kernel.loginLimiter.attemptSignedIn(session, async () => {
        // To the limiter, undefined means that the password was wrong.
        return (await this.kernel.hasher.verify(user.passwordHash, password, work)) || undefined;
      });
    });
  }
}
