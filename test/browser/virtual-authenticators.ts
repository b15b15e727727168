import type { CDPSession, Page } from 'playwright-core';

/** What an authenticator can do. Default: as in a phone, with resident keys and a user who verifies. */
export interface Traits {
  /** `internal` is built in; Chromium has at most one of those. */
  readonly transport?: 'internal' | 'usb';
  readonly hasResidentKey?: boolean;
  readonly hasUserVerification?: boolean;
  /** Whether its passkeys are synchronized. Default: they are bound to the device. */
  readonly isSynchronized?: boolean;
}

/** A passkey as the DevTools protocol shows it, with its private key. Bytes are in base64. */
export interface StoredCredential {
  readonly credentialId: string;
  readonly isResidentCredential: boolean;
  readonly rpId?: string;
  readonly privateKey: string;
  readonly userHandle?: string;
  readonly userName?: string;
  readonly signCount: number;
}

/** An authenticator of a page, over the DevTools protocol. Its user touches it at once, unless a test says no. */
export class VirtualAuthenticator {
  private constructor(
    private readonly session: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  /** Adds an authenticator to a page. From now on, the page shows no dialogs of Chromium. */
  static async addTo(page: Page, traits: Traits = {}): Promise<VirtualAuthenticator> {
    const {
      transport = 'internal',
      hasResidentKey = true,
      hasUserVerification = true,
      isSynchronized = false,
    } = traits;
    const session = await page.context().newCDPSession(page);
    await session.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport,
        hasResidentKey,
        hasUserVerification,
        isUserVerified: hasUserVerification,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: isSynchronized,
        defaultBackupState: isSynchronized,
      },
    });
    return new VirtualAuthenticator(session, authenticatorId);
  }

  /** Its passkeys. */
  async credentials(): Promise<StoredCredential[]> {
    return (await this.session.send('WebAuthn.getCredentials', this.#self)).credentials;
  }

  async addCredential(credential: StoredCredential): Promise<void> {
    await this.session.send('WebAuthn.addCredential', { ...this.#self, credential });
  }

  /** Unplugs it. */
  async remove(): Promise<void> {
    await this.session.send('WebAuthn.removeVirtualAuthenticator', this.#self);
  }

  /** Deletes its passkeys, as a user does in the settings of the device. */
  async clear(): Promise<void> {
    await this.session.send('WebAuthn.clearCredentials', this.#self);
  }

  /** Whether its user touches it. */
  async setPresent(enabled: boolean): Promise<void> {
    await this.session.send('WebAuthn.setAutomaticPresenceSimulation', { ...this.#self, enabled });
  }

  /** Whether its user passes the verification, for example by a finger. */
  async setVerified(isUserVerified: boolean): Promise<void> {
    await this.session.send('WebAuthn.setUserVerified', { ...this.#self, isUserVerified });
  }

  get #self() {
    return { authenticatorId: this.authenticatorId };
  }
}
