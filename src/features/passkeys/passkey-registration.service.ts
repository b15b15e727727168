import { randomBytes } from 'node:crypto';
import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import { tokenNotValid } from '../../error-table.js';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { TokenClaims } from '../../tokens/claims.js';
import type { PasskeyCeremony } from './passkey-challenges.js';
import { MAX_PASSKEYS, type PasskeyCreation } from './passkey-creation.js';
import { passkeyError } from './passkey-errors.js';
import type { Passkey, PasskeyStore } from './passkey-store.js';

/** A response of an authenticator that has made a passkey. */
export interface NewPasskeyResponse {
  /** The JSON of `PublicKeyCredential.toJSON()`. It is checked. */
  readonly credential: unknown;
  /** Default: the name of its password manager or device. */
  readonly name?: string;
}

/** Adds passkeys to signed-in users. */
export class PasskeyRegistrationService {
  constructor(
    protected readonly kernel: Pick<
      AuthKernel,
      'database' | 'users' | 'sessionEndings' | 'sessionProofs' | 'freshness' | 'mails' | 'settings'
    > & { readonly passkeyStore: PasskeyStore; readonly passkeyCreation: PasskeyCreation },
  ) {}

  /**
   * The options of the ceremony. The response is accepted for five minutes, from the same session.
   *
   * @param claims the claims of the caller's access token
   * @throws too_many_passkeys, reauthentication_required, second_factor_required, token_not_valid
   */
  async options(claims: TokenClaims): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { users, sessionProofs, freshness, passkeyStore, passkeyCreation } = this.kernel;
    const { credentialEpoch } = await sessionProofs.accountOf(claims);
    await freshness.assert(claims);
    const user = await users.findById(users.keyOf(claims.sub));
    if (!user) throw tokenNotValid('no-active-user');
    const passkeys = await passkeyStore.references(user.id);
    if (passkeys.length >= MAX_PASSKEYS) throw passkeyError('too_many_passkeys');
    const userHandle = passkeys[0]?.userHandle ?? randomBytes(32).toString('base64url');
    return passkeyCreation.options({ email: user.email, userHandle, passkeys }, ceremonyOf(claims, credentialEpoch));
  }

  /**
   * Adds the passkey. The options were given to a fresh session, so this one need not be fresh.
   *
   * @param claims the claims of the caller's access token
   * @throws passkey_not_valid also if the user's credentials have changed meanwhile; passkey_already_registered,
   * too_many_passkeys, token_not_valid
   */
  async register(claims: TokenClaims, response: NewPasskeyResponse, client: SessionClient): Promise<Passkey> {
    const { database, users, sessionEndings, sessionProofs, mails, settings, passkeyCreation } = this.kernel;
    const { credentialEpoch } = await sessionProofs.accountOf(claims);
    const made = await passkeyCreation.verify(response.credential, ceremonyOf(claims, credentialEpoch));
    const id = users.keyOf(claims.sub);
    return database.transaction(async (em) => {
      await sessionEndings.lockUser(id, em);
      const current = await sessionProofs.accountOf(claims, em);
      if (current.credentialEpoch !== credentialEpoch) throw passkeyError('passkey_not_valid');
      const user = await users.findById(id, em);
      if (!user) throw tokenNotValid('no-active-user');
      const isProved = user.emailVerified && settings.emailVerification !== 'none';
      const passkey = { made, name: response.name, client, provedEmail: isProved ? user.email : null };
      const added = await passkeyCreation.add(id, passkey, em);
      await mails.sendNotice('passkey-added', user.email, em);
      return added;
    });
  }
}

/** A changed credential voids the options, as it voids other things that have begun. */
function ceremonyOf({ sub, session }: TokenClaims, credentialEpoch: number): PasskeyCeremony {
  return { purpose: 'registration', boundTo: [sub, session, String(credentialEpoch)] };
}
