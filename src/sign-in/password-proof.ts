import type { SessionClient } from '../sessions/client-device.js';
import { clientNetwork } from '../sessions/client-network.js';
import type { SessionReference, SessionService } from '../sessions/session.service.js';
import type { BaseUser } from '../users/base-user.entity.js';
import type { PasswordHasher } from '../users/password-hasher.js';
import type { UserService } from '../users/user.service.js';
import type { LoginFailures } from './login-failures.js';
import type { LoginLimiter } from './login-limiter.js';
import type { ReAuthentication } from './re-authentication.js';

/** Checks the password of a signed-in user again, before actions that a thief of an access token must not do. */
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
   * Checks the password, and returns the caller's user with the password hash. Guesses are limited like failed logins,
   * for the caller's session.
   *
   * @throws incorrect_credentials, too_many_requests; token_not_valid if the caller's session has ended
   */
  async check(caller: SessionReference, password: string, client: SessionClient): Promise<BaseUser> {
    await this.kernel.sessions.assertLive(caller); // before any guess
    const user = await this.kernel.users.getActiveWithPassword(caller.sub);
    await this.checkFor(caller, user, password, client);
    return user;
  }

  /** Checks a password for a user that is already loaded. @throws incorrect_credentials, too_many_requests */
  async checkFor(
    { session }: SessionReference,
    user: BaseUser,
    password: string,
    client: SessionClient,
  ): Promise<void> {
    const work = { network: clientNetwork(client.ip) };
    await this.kernel.loginFailures.watch(client, (isAbout) => {
      isAbout(String(user.id));
      return this.kernel.loginLimiter.attemptSignedIn(session, async () => {
        return (await this.kernel.hasher.verify(user.passwordHash, password, work)) || undefined;
      });
    });
  }
}
