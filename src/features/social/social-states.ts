import { Table } from '../../database/table.js';
import type { AuthTransport } from '../../http/auth-transport.js';
import type { AuthKernel } from '../../kernel.js';
import { createRandomKey, hashOfRandomKey, isRandomKey } from '../../secrets/random-key.js';
import type { Seal } from '../../secrets/seal.js';
import { SOCIAL_STATE_ENTITY } from './social.entity.js';

/** How long a sign-in may take at the provider, with all steps of the user there. */
export const STATE_SECONDS = 600;

/** A signed-in user who connects an account, and the session with which that began. */
export interface Connecting {
  /** Key of the user, as a string. */
  readonly sub: string;
  readonly session: string;
  readonly credentialEpoch: number;
}

/** What the callback needs to know about the sign-in that began. */
export interface PendingFlow {
  /** The id of the provider. */
  readonly provider: string;
  readonly codeVerifier: string;
  readonly nonce: string;
  readonly returnTo: string;
  /** How the refresh token travels. */
  readonly transport: AuthTransport;
  /** Binds the code of a sign-in to its client (`SocialExchanges`). */
  readonly exchangeChallenge?: string;
  /** Set if the account is to be connected to this user. */
  readonly connecting?: Connecting;
}

/**
 * Stores the sign-ins that wait for a provider's answer, by their `state`. Each belongs to one browser, and can be used
 * once. The table has only hashes of `state` and cookie, and the data encrypted.
 */
export class SocialStates {
  readonly #sql: ReturnType<typeof statements>;
  readonly #seal: Seal;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock' | 'encryption'>) {
    this.#sql = statements(Table.named(kernel.orm, SOCIAL_STATE_ENTITY));
    this.#seal = kernel.encryption.sealFor('social state');
  }

  /** Makes a `state`. */
  create(): string {
    return createRandomKey();
  }

  /** Stores a sign-in. @param browser the value of the browser's cookie */
  async add(state: string, browser: string, flow: PendingFlow): Promise<void> {
    const hash = hashOfRandomKey(state);
    const expiresAt = new Date(this.kernel.clock.now() + STATE_SECONDS * 1000);
    const data = this.#seal.seal(JSON.stringify(flow), hash);
    await this.kernel.database.query(this.#sql.insert, [hash, hashOfRandomKey(browser), data, expiresAt]);
  }

  /**
   * Uses a `state` up.
   *
   * @param browsers the values of the browser's cookies
   * @returns undefined if it is unknown, used or expired, or belongs to another browser, which can still use it
   */
  async take(state: string, browsers: readonly string[]): Promise<PendingFlow | undefined> {
    if (!isRandomKey(state)) return undefined;
    const hash = hashOfRandomKey(state);
    const parameters = [hash, browsers.filter(isRandomKey).map(hashOfRandomKey), new Date(this.kernel.clock.now())];
    const [row] = await this.kernel.database.query<{ data: string }>(this.#sql.take, parameters);
    return row && (JSON.parse(this.#seal.open(row.data, hash)) as PendingFlow);
  }
}

function statements(state: Table) {
  const { name } = state;
  const [hash, browser, data, expiresAt] = ['hash', 'browser', 'data', 'expiresAt'].map((each) => state.column(each));
  return {
    insert: `insert into ${name} (${hash}, ${browser}, ${data}, ${expiresAt}) values ($1, $2, $3, $4)`,
    take: `
      delete from ${name} where ${hash} = $1 and ${browser} = any ($2::text[]) and ${expiresAt} > $3
      returning ${data} as "data"`,
  };
}
