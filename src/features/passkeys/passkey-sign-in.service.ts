import type { EntityManager } from '@mikro-orm/postgresql';
import { generateAuthenticationOptions, type PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import { hashOfRandomKey } from '../../secrets/random-key.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { tokensOf } from '../../sign-in/begun-sign-in.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { Tokens } from '../../tokens/tokens.js';
import type { UserId } from '../../users/base-user.entity.js';
import { bytesOf, descriptorsOf } from './ceremony-options.js';
import { amrOf, type PasskeyAssertions } from './passkey-assertions.js';
import { CHALLENGE_SECONDS, type PasskeyCeremony, type PasskeyChallenges } from './passkey-challenges.js';
import { passkeyError } from './passkey-errors.js';
import type { PasskeyLimiter } from './passkey-limiter.js';
import type { PasskeyStore } from './passkey-store.js';
import type { RelyingParty } from './relying-party.js';

/** What the options of a ceremony are for. Without challenge and caller: for a sign-in of anybody. */
export interface PasskeyPrompt {
  /** The challenge of a sign-in that waits for a second factor. */
  readonly challenge?: string;
  /** The claims of the access token of a user who authenticates again. */
  readonly caller?: TokenClaims;
}

/** Signs users in with a passkey, and answers the challenges of sign-ins that wait for a second factor. */
export class PasskeySignInService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'sessions' | 'sessionEndings' | 'signIn' | 'challenges' | 'hooks'
    > & {
      readonly relyingParty: RelyingParty;
      readonly passkeyStore: PasskeyStore;
      readonly passkeyChallenges: PasskeyChallenges;
      readonly passkeyAssertions: PasskeyAssertions;
      readonly passkeyLimiter: PasskeyLimiter;
    },
  ) {}

  /**
   * The options for `PublicKeyCredential.parseRequestOptionsFromJSON`, for five minutes. For a sign-in of anybody they
   * name no passkey. With a challenge or a caller, they name those of the user.
   *
   * @throws too_many_requests; challenge_not_valid; passkey_not_found if the user has none that can be used;
   * token_not_valid if the caller's session has ended
   */
  async options(
    { challenge, caller }: PasskeyPrompt,
    client: SessionClient,
  ): Promise<PublicKeyCredentialRequestOptionsJSON> {
    const { sessions, users, passkeyLimiter } = this.kernel;
    if (challenge === undefined && caller) {
      await sessions.assertLive(caller);
      return this.#options(reauthenticationOf(caller), users.keyOf(caller.sub));
    }
    await passkeyLimiter.count('options', client);
    if (challenge === undefined) return this.#options(LOGIN);
    const { user, methods } = await this.kernel.challenges.find(challenge);
    if (!methods.includes('passkey')) throw authError('challenge_not_valid');
    return this.#options(answerOf(challenge), user.id);
  }

  async #options(ceremony: PasskeyCeremony, user?: UserId): Promise<PublicKeyCredentialRequestOptionsJSON> {
    const { relyingParty, passkeyChallenges, passkeyStore } = this.kernel;
    const passkeys = user === undefined ? [] : await passkeyStore.references(user);
    const usable = passkeys.filter(({ isDisabled }) => !isDisabled);
    // Without a list, the browser would offer the passkeys of any account.
    if (user !== undefined && usable.length === 0) throw passkeyError('passkey_not_found');
    return generateAuthenticationOptions({
      rpID: relyingParty.id,
      challenge: bytesOf(passkeyChallenges.create(ceremony)),
      timeout: CHALLENGE_SECONDS * 1000,
      userVerification: 'required',
      allowCredentials: descriptorsOf(usable),
    });
  }

  /**
   * Signs in the user of a discoverable passkey.
   *
   * @param credential the JSON of `PublicKeyCredential.toJSON()`. It is checked
   * @throws passkey_not_valid for every fault of it; too_many_requests; no_active_account, email_not_verified, and what
   * a hook or a gate throws; incorrect_credentials if the user's credentials change at the same moment
   */
  async signIn(credential: unknown, client: SessionClient): Promise<Tokens> {
    const { users, sessionEndings, signIn, hooks, database, passkeyAssertions, passkeyLimiter } = this.kernel;
    await passkeyLimiter.count('login', client);
    const response = await passkeyAssertions.check(credential, LOGIN, { needsHandle: true });
    return passkeyAssertions.run(response, client, async (use) => {
      const { passkey, fault } = response;
      const user = passkey && !fault && (await users.findById(passkey.user));
      if (!user) throw passkeyError('passkey_refused');
      const useUp = async (em: EntityManager) => {
        await sessionEndings.lockUser(user.id, em);
        await use(user.id, em);
      };
      // The hook must not run for a signature that was used before, and must run without a lock.
      if (hooks.beforeSignIn) await database.rehearse(useUp);
      const account = { ...user, passwordHash: undefined };
      const begun = await signIn.begin({ user: account, amr: amrOf(passkey), client });
      const decision = await database.transaction(async (em) => {
        await useUp(em);
        const current = await users.findById(user.id, em);
        // The epoch that was read before: a change of the credentials since then refuses the sign-in.
        return begun.decide(
          { ...account, ...current, passwordHash: undefined, credentialEpoch: user.credentialEpoch },
          em,
        );
      });
      return tokensOf(decision);
    });
  }

  /**
   * Completes a sign-in that waits for a second factor. A wrong answer counts for the challenge, and for the user if
   * another factor has limits of wrong answers.
   *
   * @throws challenge_not_valid, passkey_not_valid, too_many_requests, and what a hook or a gate throws
   */
  async answer(challenge: string, credential: unknown, client: SessionClient): Promise<Tokens> {
    const { signIn, passkeyAssertions, passkeyLimiter } = this.kernel;
    await passkeyLimiter.count('login', client);
    const response = await passkeyAssertions.check(credential, answerOf(challenge), { needsHandle: false });
    return passkeyAssertions.run(response, client, (verify) =>
      signIn.answer(challenge, { method: 'passkey', amr: amrOf(response.passkey), verify }, client),
    );
  }
}

const LOGIN: PasskeyCeremony = { purpose: 'login', boundTo: [] };

function answerOf(challenge: string): PasskeyCeremony {
  return { purpose: 'answer', boundTo: [hashOfRandomKey(challenge)] };
}

/** The ceremony of a signed-in user who authenticates again. */
export function reauthenticationOf({ sub, session }: Pick<TokenClaims, 'sub' | 'session'>): PasskeyCeremony {
  return { purpose: 'reauthentication', boundTo: [sub, session] };
}
