import { toSeconds } from '../../clock.js';
import { authError } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import { secondFactorRequired } from '../../sign-in/challenge.js';
import type { ReAuthentication } from '../../sign-in/re-authentication.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { Tokens } from '../../tokens/tokens.js';

/** One proof of a signed-in user. */
export interface Reauthentication {
  /** The member of the body that carries it, such as `password`. */
  readonly member: string;
  /** The proof, in the form that its method accepts. */
  readonly proof: unknown;
}

/** The access token of a session that goes on. */
type NewAccess = Pick<Tokens, 'access' | 'isBound'>;

/** Makes sessions fresh: a signed-in user authenticates again, and the session goes on with the new proof. */
export class ReauthenticationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      | 'sessions'
      | 'sessionProofs'
      | 'sessionKeys'
      | 'secondFactors'
      | 'reAuthentications'
      | 'tokens'
      | 'users'
      | 'clock'
      | 'telemetry'
    >,
  ) {}

  /**
   * Checks the proof and adds it to the caller's session: its `auth_time` is now, and its `amr` has the new methods.
   * The refresh token stays valid. The new access token has the methods of the presented one and those of the proof.
   *
   * @param caller the claims of the access token; its session must still be live
   * @returns a new access token, and whether it is bound to a key
   * @throws bad_request if no method has this member
   * @throws incorrect_credentials, too_many_requests, token_not_valid, session_expired, service_unavailable, and what
   * `forUser` of the app's token class throws
   * @throws dpop_proof_invalid, use_dpop_nonce if the session is bound to a key, and the request has no proof by it
   * @throws second_factor_required if the user has a second factor and the proof is not one; it is not checked then
   */
  async authenticate(caller: TokenClaims, given: Reauthentication, client: SessionClient): Promise<NewAccess> {
    return this.kernel.telemetry.measure('reauthenticate', () => this.#authenticate(caller, given, client));
  }

  async #authenticate(caller: TokenClaims, given: Reauthentication, client: SessionClient): Promise<NewAccess> {
    const { sessions, sessionProofs, sessionKeys, secondFactors, tokens, users, clock } = this.kernel;
    const { session, sub, session_iat: openedAt } = caller;
    if (tokens.deadline(openedAt) <= toSeconds(clock.now())) throw authError('session_expired');
    const method = this.#methodOf(given);
    const { credentialEpoch, secondFactors: owned, keyThumbprint } = await sessionProofs.accountOf(caller);
    await sessionKeys.assertProved(caller, keyThumbprint, client);
    if (secondFactors.isAskedOf(owned) && !method.amr.includes('mfa')) throw secondFactorRequired();
    await method.check({ session, sub }, given.proof, client);
    const proof = { amr: method.amr, authTime: toSeconds(clock.now()), credentialEpoch };
    const proved = await sessionProofs.add({ session, sub }, proof);
    // Not the methods of the session's row: the thief of an older access token has not proved them.
    const context = { ...proved, amr: [...new Set([...(caller.amr ?? []), ...method.amr])] };
    const { user } = await sessions.ownerOf(users.keyOf(sub));
    const prepared = await tokens.prepare(user, { session: context, client });
    const bound = { keyThumbprint: keyThumbprint ?? undefined };
    const access = tokens.signAccess(prepared, { id: session, openedAt, ...bound, ...context });
    return { access, isBound: keyThumbprint !== null };
  }

  #methodOf({ member }: Reauthentication): ReAuthentication<unknown> {
    const method = this.kernel.reAuthentications.byMember(member);
    if (!method) throw authError('bad_request');
    return method;
  }
}
