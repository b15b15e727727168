import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { clientNetwork } from '../../sessions/client-network.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { HashWork } from '../../users/hash-queue.js';
import type { PasswordOwner } from '../../users/user.service.js';

/** The input of a sign-in. */
export interface Credentials extends SessionClient {
  readonly email: string;
  readonly password: string;
}

/** Signs users in with an e-mail address and a password. */
export class LoginService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'users' | 'hasher' | 'loginLimiter' | 'loginFailures' | 'signIn' | 'signUps' | 'settings' | 'telemetry'
    >,
  ) {}

  /**
   * Signs in. A wrong password and an unknown address get the same answer in the same time.
   *
   * @throws incorrect_credentials, too_many_requests, service_unavailable
   * @throws no_active_account, email_not_verified, second_factor_required, but only if the password was right
   */
  async login(credentials: Credentials): Promise<Tokens> {
    return this.kernel.telemetry.measure('login', () =>
      this.kernel.loginFailures.watch(credentials, (setUser) => this.#login(credentials, setUser)),
    );
  }

  async #login({ email, password, ...client }: Credentials, setUser: (user: string) => void): Promise<Tokens> {
    const find = async () => {
      const found = await this.kernel.users.findByEmail(email);
      if (found) setUser(String(found.id));
      return found;
    };
    const work = { network: clientNetwork(client.ip) };
    const user = await this.kernel.loginLimiter.attempt({ email, ip: client.ip }, find, async (found) => {
      const isRight = await this.kernel.hasher.verify(found?.passwordHash, password, work);
      if (found && isRight) return found;
      await this.#refusePending(email, password, work);
      return undefined;
    });
    const signIn = await this.kernel.signIn.begin({ user, amr: ['pwd'], client });
    await this.#renewHash(user, password, work);
    return signIn.complete(user);
  }

  /**
   * Refuses the password of a pending sign-up, whether or not the address has an account. The work is the same for each
   * wrong password and each number of pending sign-ups. The limiter does not count an error that is thrown here:
   * an attacker's own sign-up neither costs guesses nor resets the counter.
   *
   * @throws email_not_verified
   */
  async #refusePending(email: string, password: string, work: HashWork): Promise<void> {
    if (this.kernel.settings.emailVerification !== 'mandatory') return;
    const hashes = await this.kernel.signUps.passwordHashes(email);
    if (await this.kernel.hasher.verifyAny(hashes, password, work)) throw authError('email_not_verified');
  }

  /** Stores a new hash if the old one uses outdated parameters, because the password is known now. */
  async #renewHash(user: PasswordOwner, password: string, work: HashWork): Promise<void> {
    if (!user.passwordHash || !this.kernel.hasher.isOutdated(user.passwordHash)) return;
    const next = await this.kernel.hasher.hash(password, work);
    if (await this.kernel.users.replacePasswordHash(user, next)) {
      user.passwordHash = next;
      return;
    }
    // Another request changed the hash first: another sign-in with the same password, or a password change.
    const current = await this.kernel.users.findByEmail(user.email);
    if (await this.kernel.hasher.verify(current?.passwordHash, password, work))
      user.passwordHash = current?.passwordHash;
  }
}
