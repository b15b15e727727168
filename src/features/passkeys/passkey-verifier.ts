import {
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeAttestationObject, isoCBOR } from '@simplewebauthn/server/helpers';
import type { AuthKernel } from '../../kernel.js';
import { WarningLimit } from '../../observability/warning-limit.js';
import { namesOf, withNames } from '../../settings/setting-names.js';
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

/** The log message of a response from an origin that is not allowed, with the setting for an origin of the app. */
const FOREIGN_ORIGIN_MESSAGE =
  'passkey refused, because its page or app is not allowed; if it is part of your app, ' +
  'list all origins of the app in {passkeyOrigins}';

/** Maximum number of characters of an origin in a log entry. */
const MAX_LOGGED_LENGTH = 200;

/** What a response must have. */
interface Expected {
  readonly expectedChallenge: (challenge: string) => boolean;
  readonly expectedOrigin: string[];
  readonly expectedRPID: string;
  readonly requireUserVerification: true;
}

/**
 * Checks the responses of authenticators (WebAuthn level 3 §7). It returns undefined for every response that is not
 * valid: all faults look the same to a client. The log has origins that are not allowed, limited by `WarningLimit`.
 */
export class PasskeyVerifier {
  readonly #warnings: WarningLimit;

  constructor(
    private readonly kernel: Pick<AuthKernel, 'clock' | 'logger' | 'settings'> & {
      readonly passkeyChallenges: PasskeyChallenges;
      readonly relyingParty: RelyingParty;
    },
  ) {
    this.#warnings = new WarningLimit(kernel.clock);
  }

  /** Checks a new passkey. */
  async registration(credential: unknown, ceremony: PasskeyCeremony): Promise<VerifiedRegistration | undefined> {
    return this.#verify(credential, ceremony, async (expected) => {
      const response = withoutAttestation(credential as RegistrationResponseJSON);
      this.#assertOwnPage(response);
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
    return this.#verify(credential, ceremony, async (expected) => {
      const response = credential as AuthenticationResponseJSON;
      this.#assertOwnPage(response);
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
    credential: unknown,
    ceremony: PasskeyCeremony,
    check: (expected: Expected) => Promise<T | undefined>,
  ): Promise<(T & { readonly challenge: OpenedChallenge }) | undefined> {
    let challenge: OpenedChallenge | undefined;
    const isExpected = (given: string) => {
      challenge = this.kernel.passkeyChallenges.open(given, ceremony);
      return challenge !== undefined;
    };
    try {
      assertTexts(credential);
      const result = await check(this.#expected(isExpected));
      return result && challenge && { ...result, challenge };
    } catch {
      this.#warnOfOrigin(credential);
      return undefined; // every fault of a response is thrown as an error
    }
  }

  #expected(expectedChallenge: Expected['expectedChallenge']): Expected {
    const { id, origins } = this.kernel.relyingParty;
    return { expectedChallenge, expectedOrigin: [...origins], expectedRPID: id, requireUserVerification: true };
  }

  /** Refuses a response that was made in a frame of another site's page. @throws Error */
  #assertOwnPage(credential: object): void {
    const { crossOrigin, topOrigin } = clientDataOf(credential);
    if (!crossOrigin && topOrigin === undefined) return;
    if (!this.#isAllowed(topOrigin)) throw new Error('the page belongs to another site');
  }

  /** Warns if the page or app of a refused response is not allowed, so that the operator finds a missing setting. */
  #warnOfOrigin(credential: unknown): void {
    const { logger, settings, relyingParty } = this.kernel;
    const foreign = originsIn(credential).find((origin) => !this.#isAllowed(origin));
    const shown = foreign?.slice(0, MAX_LOGGED_LENGTH);
    const admitted = shown === undefined ? undefined : this.#warnings.admit(shown);
    if (!admitted) return;
    const compared = { origin: shown, allowed: relyingParty.origins };
    logger.warn(
      { code: 'passkey_not_valid', ...compared, ...admitted },
      withNames(FOREIGN_ORIGIN_MESSAGE, namesOf(settings)),
    );
  }

  #isAllowed(origin: unknown): boolean {
    return (this.kernel.relyingParty.origins as readonly unknown[]).includes(origin);
  }
}

/**
 * Refuses a response whose bytes are not texts. A decoder would take an object with a `length` for a list, and work
 * through as many bytes as it claims.
 *
 * @throws TypeError
 */
function assertTexts(credential: unknown): void {
  const { id, rawId, response } = credential as Record<'id' | 'rawId' | 'response', unknown>;
  const { transports: _, ...others } = response as Readonly<Record<string, unknown>>;
  for (const value of [id, rawId, ...Object.values(others)]) {
    if (typeof value === 'object' && value !== null) throw new TypeError('a member of the response is not a text');
  }
}

/** The client data of a response (WebAuthn level 3 §5.8.1), unchecked. @throws if it cannot be read */
export function clientDataOf(credential: unknown): Readonly<Record<string, unknown>> {
  assertTexts(credential);
  const { response } = credential as { readonly response: { readonly clientDataJSON: string } };
  return JSON.parse(Buffer.from(response.clientDataJSON, 'base64url').toString());
}

/** The origins in the client data of a response, if they are printable ASCII as all real ones. */
function originsIn(credential: unknown): readonly string[] {
  try {
    const { origin, topOrigin } = clientDataOf(credential);
    return [origin, topOrigin].filter((each) => typeof each === 'string' && /^[!-~]+$/.test(each)) as string[];
  } catch {
    return [];
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
