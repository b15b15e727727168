import { createHash, randomBytes } from 'node:crypto';
import { type AuthenticatorFlags, attestationObject, authenticatorData } from './authenticator-data.js';
import type {
  PasskeyAssertion,
  PasskeyCreationOptions,
  PasskeyRegistration,
  PasskeyRequestOptions,
  PasskeyTransport,
} from './passkey-json.js';
import { type PasskeyAlgorithm, PasskeyKey } from './passkey-key.js';

/** Options of an authenticator. */
export interface SoftwareAuthenticatorOptions {
  /** The origin of the page, such as `https://app.example.com`, or of an app: `android:apk-key-hash:…`. */
  readonly origin: string;
  /** Default: `ES256`. */
  readonly algorithm?: PasskeyAlgorithm;
  /** Whether its passkeys may be synchronized between devices. Default: true. */
  readonly isBackupEligible?: boolean;
  /** Whether they are. Default: as `isBackupEligible`. */
  readonly isBackedUp?: boolean;
  /** Whether it counts the uses of a passkey; else the counter stays 0. Default: if they are bound to the device. */
  readonly isCounting?: boolean;
  /** The model, a UUID. Default: zeros, as authenticators send it that do not reveal their model. */
  readonly aaguid?: string;
  /** Default: `internal` and `hybrid`, as of a phone. */
  readonly transports?: readonly PasskeyTransport[];
}

/** A passkey in an authenticator. */
export interface SoftwarePasskey {
  /** In base64url. */
  readonly id: string;
  readonly rpId: string;
  /** In base64url. */
  readonly userHandle: string;
  readonly userName: string;
  /** The counter of its last use. */
  counter: number;
}

/** What to send instead of the truth, for the tests of a server that has to refuse it. */
export interface Forgery extends Partial<AuthenticatorFlags> {
  readonly origin?: string;
  /** The RP id whose hash is sent. */
  readonly rpId?: string;
  /** The type of the client data: `webauthn.create` or `webauthn.get`. */
  readonly type?: string;
  /** In base64url. */
  readonly challenge?: string;
  readonly counter?: number;
  /** In base64url; null sends none. */
  readonly userHandle?: string | null;
  /** More members of the client data, such as `crossOrigin: true`. */
  readonly clientData?: Readonly<Record<string, unknown>>;
}

type Entry = SoftwarePasskey & { readonly key: PasskeyKey };

/**
 * A browser together with an authenticator, for tests over HTTP: it answers the options of the server with the JSON
 * that a browser sends. It presses its own button, verifies its user, and keeps discoverable passkeys in memory.
 */
export class SoftwareAuthenticator {
  readonly #options: Required<SoftwareAuthenticatorOptions>;
  readonly #entries: Entry[] = [];

  constructor({ origin, isBackupEligible = true, ...options }: SoftwareAuthenticatorOptions) {
    this.#options = {
      origin,
      isBackupEligible,
      algorithm: 'ES256',
      isBackedUp: isBackupEligible,
      isCounting: !isBackupEligible,
      aaguid: '00000000-0000-0000-0000-000000000000',
      transports: ['internal', 'hybrid'],
      ...options,
    };
  }

  /** Its passkeys, oldest first. */
  get passkeys(): readonly SoftwarePasskey[] {
    return this.#entries;
  }

  /** Deletes a passkey, as a user does in the settings of the device. */
  remove(id: string): void {
    const at = this.#entries.findIndex((entry) => entry.id === id);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  /**
   * Answers `navigator.credentials.create`. A passkey of the same user and RP is replaced, as in other authenticators.
   *
   * @param options the server's, such as from `POST /passkeys/registration/options`
   * @throws DOMException as a browser: `InvalidStateError` if it has one of `excludeCredentials`, `NotSupportedError`
   * if its algorithm is not accepted, `SecurityError` if the page may not use the RP id; TypeError without options
   */
  create(options: PasskeyCreationOptions, forged: Forgery = {}): PasskeyRegistration {
    assertOptions('create', options, 'rp');
    const { algorithm, aaguid, transports } = this.#options;
    const rpId = this.#assertRpId(options.rp.id);
    const excluded = options.excludeCredentials?.map(({ id }) => id) ?? [];
    if (this.#entries.some((entry) => entry.rpId === rpId && excluded.includes(entry.id))) {
      throw new DOMException('The authenticator has a passkey of this user.', 'InvalidStateError');
    }
    const key = new PasskeyKey(algorithm);
    if (!options.pubKeyCredParams.some(({ alg }) => alg === key.number)) {
      throw new DOMException(`The server does not accept ${algorithm}.`, 'NotSupportedError');
    }
    const { id: userHandle, name: userName } = options.user;
    const older = this.#entries.find((entry) => entry.rpId === rpId && entry.userHandle === userHandle);
    if (older) this.remove(older.id);
    const id = randomBytes(32);
    const entry = { id: id.toString('base64url'), rpId, userHandle, userName, counter: 0, key };
    this.#entries.push(entry);
    const authData = this.#authenticatorData(entry, forged, { aaguid, id, publicKey: key.cose });
    return this.#answer(entry, {
      clientDataJSON: this.#clientData('webauthn.create', options.challenge, forged).toString('base64url'),
      attestationObject: attestationObject(authData).toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      transports: [...transports],
      publicKey: key.spki.toString('base64url'),
      publicKeyAlgorithm: key.number,
    });
  }

  /**
   * Answers `navigator.credentials.get` with its newest passkey that matches.
   *
   * @param options the server's, such as from `POST /passkeys/login/options`
   * @param forged with `passkey`, the id of the passkey to use
   * @throws DOMException as a browser: `NotAllowedError` if it has no passkey that matches, `SecurityError` if the page
   * may not use the RP id; TypeError without options
   */
  get(options: PasskeyRequestOptions, forged: Forgery & { readonly passkey?: string } = {}): PasskeyAssertion {
    assertOptions('get', options, 'challenge');
    const rpId = this.#assertRpId(options.rpId);
    const allowed = options.allowCredentials?.length ? options.allowCredentials.map(({ id }) => id) : undefined;
    const { passkey } = forged;
    const entry = this.#entries.findLast(
      (each) => each.rpId === rpId && (allowed?.includes(each.id) ?? true) && each.id === (passkey ?? each.id),
    );
    if (!entry) throw new DOMException('The authenticator has no passkey that matches.', 'NotAllowedError');
    if (this.#options.isCounting) entry.counter++;
    const authData = this.#authenticatorData(entry, forged);
    const clientData = this.#clientData('webauthn.get', options.challenge, forged);
    const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()]);
    const { userHandle = entry.userHandle } = forged;
    return this.#answer(entry, {
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: entry.key.sign(signed).toString('base64url'),
      ...(userHandle !== null && { userHandle }),
    });
  }

  /**
   * The RP id, which must be the host of the page or a domain above it (WebAuthn level 3 §5.1.3). For an app, the
   * system checks that the domain names the app.
   */
  #assertRpId(given: string | undefined): string {
    const { protocol, hostname } = new URL(this.#options.origin);
    const rpId = given ?? hostname;
    if (protocol === 'android:') return rpId;
    if (hostname !== rpId && !hostname.endsWith(`.${rpId}`)) {
      throw new DOMException(`A page of ${hostname} may not use the RP id ${rpId}.`, 'SecurityError');
    }
    return rpId;
  }

  #authenticatorData(entry: Entry, forged: Forgery, attested?: Parameters<typeof authenticatorData>[2]): Buffer {
    const { isBackupEligible, isBackedUp } = this.#options;
    const { rpId = entry.rpId, ...said } = forged;
    const truth = { isUserPresent: true, isUserVerified: true, isBackupEligible, isBackedUp, counter: entry.counter };
    return authenticatorData(rpId, { ...truth, ...said }, attested);
  }

  /** The client data (WebAuthn level 3 §5.8.1). */
  #clientData(type: string, challenge: string, forged: Forgery): Buffer {
    const { origin = this.#options.origin } = forged;
    const truth = { type: forged.type ?? type, challenge: forged.challenge ?? challenge, origin, crossOrigin: false };
    return Buffer.from(JSON.stringify({ ...truth, ...forged.clientData }));
  }

  #answer<Response>({ id }: Entry, response: Response) {
    const isPlatform = this.#options.transports.includes('internal');
    return {
      id,
      rawId: id,
      type: 'public-key' as const,
      response,
      authenticatorAttachment: isPlatform ? ('platform' as const) : ('cross-platform' as const),
      clientExtensionResults: {},
    };
  }
}

/** Refuses what is no options, such as an error of the server. @throws TypeError with the error's status and code */
function assertOptions(method: string, options: unknown, member: string): void {
  if (typeof options === 'object' && options !== null && member in options) return;
  const { status, code } = (options ?? {}) as { readonly status?: unknown; readonly code?: unknown };
  const given = code === undefined ? `a value without ${member}` : `the error ${status} ${code}`;
  throw new TypeError(`${method} needs the options of the server, but got ${given}`);
}
