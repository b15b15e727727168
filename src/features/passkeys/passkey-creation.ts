import type { EntityManager } from '@mikro-orm/postgresql';
import { generateRegistrationOptions, type PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { UserId } from '../../users/base-user.entity.js';
import { bytesOf, descriptorsOf } from './ceremony-options.js';
import { CHALLENGE_SECONDS, type PasskeyCeremony, type PasskeyChallenges } from './passkey-challenges.js';
import { passkeyError } from './passkey-errors.js';
import { defaultPasskeyName } from './passkey-names.js';
import { ALGORITHMS } from './passkey-public-key.js';
import type { NewPasskey, Passkey, PasskeyReference, PasskeyStore } from './passkey-store.js';
import type { PasskeyVerifier, VerifiedRegistration } from './passkey-verifier.js';
import type { RelyingParty } from './relying-party.js';

/** Maximum number of passkeys of a user. */
export const MAX_PASSKEYS = 20;

/** For whom a passkey is made. */
export interface PasskeyOwner {
  readonly email: string;
  /** The id of the user that the authenticator stores, in base64url: 32 bytes that have no meaning. */
  readonly userHandle: string;
  /** The passkeys that the user has already. */
  readonly passkeys: readonly PasskeyReference[];
}

/** What is known about a passkey only by the request that adds it. */
export interface PasskeyDetails {
  /** Default: the name of its password manager or device. */
  readonly name?: string;
  readonly client: SessionClient;
  /** The address of the user, if it is proved. If not, null: a password reset removes the passkey. */
  readonly provedEmail: string | null;
}

/** A passkey to add. */
export interface MadePasskey extends PasskeyDetails {
  readonly made: VerifiedRegistration;
}

/** Makes passkeys: the options of the ceremony, the check of its response, and the record. */
export class PasskeyCreation {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'accounts' | 'oneTimeKeys' | 'journal' | 'settings'> & {
      readonly relyingParty: RelyingParty;
      readonly passkeyChallenges: PasskeyChallenges;
      readonly passkeyVerifier: PasskeyVerifier;
      readonly passkeyStore: PasskeyStore;
    },
  ) {}

  /** The options for `PublicKeyCredential.parseCreationOptionsFromJSON`. */
  async options(
    { email, userHandle, passkeys }: PasskeyOwner,
    ceremony: PasskeyCeremony,
  ): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { relyingParty, passkeyChallenges } = this.kernel;
    const userID = bytesOf(userHandle);
    // The challenge keeps the handle, which the response of the authenticator does not have.
    const challenge = passkeyChallenges.create(ceremony, userID);
    return generateRegistrationOptions({
      rpID: relyingParty.id,
      rpName: relyingParty.name,
      userName: email,
      userDisplayName: email,
      userID,
      challenge: bytesOf(challenge),
      timeout: CHALLENGE_SECONDS * 1000,
      attestationType: 'none',
      excludeCredentials: descriptorsOf(passkeys),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      supportedAlgorithmIDs: ALGORITHMS,
    });
  }

  /** Checks the response, without a lock. @throws passkey_not_valid */
  async verify(credential: unknown, ceremony: PasskeyCeremony): Promise<VerifiedRegistration> {
    const made = await this.kernel.passkeyVerifier.registration(credential, ceremony);
    if (!made) throw passkeyError('passkey_not_valid');
    return made;
  }

  /**
   * Uses the challenge up and adds the passkey to a user, in a transaction that has locked the user's row. It is a
   * change of credentials and voids mailed links.
   *
   * @throws passkey_not_valid if the challenge was used before; too_many_passkeys, passkey_already_registered
   */
  async add(user: UserId, { made, ...details }: MadePasskey, em: EntityManager): Promise<Passkey> {
    await this.use(made, em);
    const count = (await this.kernel.passkeyStore.list(user, em)).length;
    if (count >= MAX_PASSKEYS) throw passkeyError('too_many_passkeys');
    return this.insert(user, this.newPasskey(made, details), em);
  }

  /** Uses the challenge up. @throws passkey_not_valid if it was used before */
  async use({ challenge }: VerifiedRegistration, em: EntityManager): Promise<void> {
    if (!(await this.kernel.passkeyChallenges.use(challenge, em))) throw passkeyError('passkey_not_valid');
  }

  /** The passkey to insert. */
  newPasskey({ passkey, challenge }: VerifiedRegistration, { name, client, provedEmail }: PasskeyDetails): NewPasskey {
    const userHandle = challenge.data.toString('base64url');
    const given = name ?? defaultPasskeyName(passkey.aaguid, client, this.kernel.settings);
    return { ...passkey, userHandle, provedEmail, rpId: this.kernel.relyingParty.id, name: given };
  }

  /**
   * Adds a passkey to a user without passkeys, or after the same checks as `add`.
   *
   * @throws passkey_already_registered
   */
  async insert(user: UserId, passkey: NewPasskey, em: EntityManager): Promise<Passkey> {
    const { passkeyStore, accounts, oneTimeKeys, journal } = this.kernel;
    const added = await passkeyStore.insert(user, passkey, em);
    if (!added) throw passkeyError('passkey_already_registered');
    await accounts.setSecondFactor(user, 'passkey', true, em);
    await oneTimeKeys.revokeAll(user, em);
    await journal.record([['passkey.added', { user: String(user), passkey: added.id }]], em);
    return added;
  }
}
