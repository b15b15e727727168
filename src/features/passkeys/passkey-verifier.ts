import {
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeAttestationObject, isoCBOR } from '@simplewebauthn/server/helpers';
import { MAX_CREDENTIAL_ID_LENGTH } from './passkey.entity.js';
import type { OpenedChallenge, PasskeyCeremony, PasskeyChallenges } from './passkey-challenges.js';
import { ALGORITHMS, assertUsablePublicKey } from './passkey-public-key.js';
import type { NewPasskey, PasskeyUse, StoredPasskey } from './passkey-store.js';
import type { RelyingParty } from './relying-party.js';

/** The values of `transports` that are stored (WebAuthn level 3 §5.8.4). Browsers ignore others. */
const TRANSPORTS: readonly string[] = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'];

/** A passkey that was made in a ceremony, without what only the caller knows. */
export interface VerifiedRegistration {
  readonly passkey: Omit<NewPasskey, 'name' | 'userHandle' | 'provedEmail' | 'rpId'>;
  readonly challenge: OpenedChallenge;
}

/** A signature that was made in a ceremony. */
export interface VerifiedAssertion extends PasskeyUse {
  readonly challenge: OpenedChallenge;
  /** The id of the user that the authenticator has stored. Undefined: it sent none. */
  readonly userHandle?: string;
}

/** What a response must have. */
interface Expected {
  readonly expectedChallenge: (challenge: string) => boolean;
  readonly expectedOrigin: string[];
  readonly expectedRPID: string;
  readonly requireUserVerification: true;
}

/**
 * Checks the responses of authenticators (WebAuthn level 3 §7). It returns undefined for every response that is not
 * valid: all faults look the same to a client.
 */
export class PasskeyVerifier {
  constructor(
    private readonly kernel: { readonly passkeyChallenges: PasskeyChallenges; readonly relyingParty: RelyingParty },
  ) {}

  /** Checks a new passkey. */
  async registration(credential: unknown, ceremony: PasskeyCeremony): Promise<VerifiedRegistration | undefined> {
    return this.#verify(ceremony, async (expected) => {
      const response = withoutAttestation(credential as RegistrationResponseJSON);
      this.#assertOwnPage(response.response.clientDataJSON);
      const { registrationInfo: made } = await verifyRegistrationResponse({
        response,
        ...expected,
        supportedAlgorithmIDs: ALGORITHMS,
      });
      const { id, publicKey, counter, transports = [] } = made?.credential ?? {};
      if (!made || !id || !publicKey || counter === undefined) return undefined;
      if (id.length > MAX_CREDENTIAL_ID_LENGTH) return undefined;
      assertUsablePublicKey(publicKey);
      return {
        passkey: {
          credentialId: id,
          publicKey,
          counter,
          transports: TRANSPORTS.filter((name) => (transports as readonly string[]).includes(name)),
          aaguid: made.aaguid,
          isBackupEligible: made.credentialDeviceType === 'multiDevice',
          isBackedUp: made.credentialBackedUp,
        },
      };
    });
  }

  /** Checks a signature by a stored passkey. The caller compares the counter, which it must do under a lock. */
  async assertion(
    credential: unknown,
    passkey: StoredPasskey,
    ceremony: PasskeyCeremony,
  ): Promise<VerifiedAssertion | undefined> {
    return this.#verify(ceremony, async (expected) => {
      const response = credential as AuthenticationResponseJSON;
      this.#assertOwnPage(response.response.clientDataJSON);
      const { verified, authenticationInfo: made } = await verifyAuthenticationResponse({
        response,
        ...expected,
        expectedTopOrigin: expected.expectedOrigin,
        credential: { id: passkey.credentialId, publicKey: passkey.publicKey, counter: 0 },
      });
      const isBackupEligible = made.credentialDeviceType === 'multiDevice';
      if (!verified || isBackupEligible !== passkey.isBackupEligible) return undefined;
      const { userHandle } = response.response;
      return { counter: made.newCounter, isBackedUp: made.credentialBackedUp, ...(userHandle && { userHandle }) };
    });
  }

  /** Runs a check whose result is used only with a challenge of the ceremony. */
  async #verify<T extends object>(
    ceremony: PasskeyCeremony,
    check: (expected: Expected) => Promise<T | undefined>,
  ): Promise<(T & { readonly challenge: OpenedChallenge }) | undefined> {
    let challenge: OpenedChallenge | undefined;
    const isExpected = (given: string) => {
      challenge = this.kernel.passkeyChallenges.open(given, ceremony);
      return challenge !== undefined;
    };
    try {
      const result = await check(this.#expected(isExpected));
      return result && challenge && { ...result, challenge };
    } catch {
      return undefined; // every fault of a response is thrown as an error
    }
  }

  #expected(expectedChallenge: Expected['expectedChallenge']): Expected {
    const { id, origins } = this.kernel.relyingParty;
    return { expectedChallenge, expectedOrigin: [...origins], expectedRPID: id, requireUserVerification: true };
  }

  /** Refuses a response that was made in a frame of another site's page. @throws Error */
  #assertOwnPage(clientDataJSON: string): void {
    const { crossOrigin, topOrigin } = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString());
    if (!crossOrigin && topOrigin === undefined) return;
    if (!this.kernel.relyingParty.origins.includes(topOrigin)) throw new Error('the page belongs to another site');
  }
}

/**
 * The response without the attestation statement, which the library did not ask for. Otherwise, its check would fetch
 * URLs from certificates of the sender.
 */
function withoutAttestation(credential: RegistrationResponseJSON): RegistrationResponseJSON {
  const { attestationObject } = credential.response;
  const authData = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url'))).get('authData');
  const statement = new Map<string, unknown>([
    ['fmt', 'none'],
    ['attStmt', new Map()],
    ['authData', authData],
  ]);
  const bare = Buffer.from(isoCBOR.encode(statement as never)).toString('base64url');
  return { ...credential, response: { ...credential.response, attestationObject: bare } };
}
