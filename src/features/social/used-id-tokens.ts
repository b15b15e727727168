import { createHash } from 'node:crypto';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import { SOCIAL_USED_TOKEN_ENTITY } from './social.entity.js';

/**
 * How long a used token is remembered after its expiry: longer than a token is accepted after its expiry, because
 * clocks differ (`OpenIdConfigurations`).
 */
const TOLERANCE_SECONDS = 300;

/** The latest expiry that is stored: the end of the year 9999. A token may name any number. */
const MAX_SECONDS = Date.UTC(9999, 11, 31) / 1000;

/** Remembers ID tokens that were used for a native sign-in, until they have expired. */
export class UsedIdTokens {
  readonly #insert: string;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm'>) {
    const table = Table.named(kernel.orm, SOCIAL_USED_TOKEN_ENTITY);
    const [hash, expiresAt] = ['hash', 'expiresAt'].map((name) => table.column(name));
    this.#insert = `
      insert into ${table.name} (${hash}, ${expiresAt}) values ($1, $2) on conflict (${hash}) do nothing returning 1`;
  }

  /**
   * Uses a token up. Header and claims are compared, and not the signature, of which there can be several valid ones.
   *
   * @param exp when it expires, in seconds since the epoch
   * @returns false if it was used before
   */
  async use(idToken: string, exp: number): Promise<boolean> {
    const signed = idToken.slice(0, idToken.lastIndexOf('.'));
    const hash = createHash('sha256').update(signed).digest('base64url');
    const expiresAt = new Date(Math.min(exp + TOLERANCE_SECONDS, MAX_SECONDS) * 1000);
    return (await this.kernel.database.query(this.#insert, [hash, expiresAt])).length > 0;
  }
}
