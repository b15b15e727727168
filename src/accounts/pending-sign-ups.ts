import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import { hashOfMailedKey, isMailedKey } from '../tokens/mailed-key.js';
import { normalizeEmail } from '../users/email.js';
import { PENDING_SIGN_UP_ENTITY } from './pending-sign-up.entity.js';

/**
 * Sign-ups of one address that are kept, the newest. MAIL_RATE_LIMIT lets 20 an hour through for one mailbox by
 * default: a flood of strangers needs hours to push out the sign-up of the owner.
 */
const KEPT = 50;

/** Bytes of a salt (RFC 9106 §3.1). */
const SALT_BYTES = 16;

/** What a sign-up becomes a user with. */
export interface PendingSignUp {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  /** What else was given. */
  readonly fields: { readonly firstName?: string; readonly lastName?: string };
}

/**
 * The statements on sign-ups that wait for their mail to be opened. Each names the address, the id or the key as an
 * equality.
 */
export class PendingSignUps {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly settings: Pick<Settings, 'emailConfirmationLifetime'>,
    private readonly clock: Clock,
    /** Makes the salts of addresses. With another key only a sign-in before the confirmation is answered otherwise. */
    private readonly secret: KeyObject,
  ) {
    this.#sql = statements(Table.named(orm, PENDING_SIGN_UP_ENTITY));
  }

  /**
   * The salt of an address, the same for each of its sign-ups: so that one computation tells whether a password is that
   * of any of them (`PasswordHasher.verifyAny`).
   */
  saltFor(email: string): Uint8Array {
    return createHmac('sha256', this.secret).update(normalizeEmail(email)).digest().subarray(0, SALT_BYTES);
  }

  /**
   * Stores a sign-up and drops the oldest of its address beyond 50. Without a key it can never be confirmed. Returns
   * its id.
   */
  async add(
    { email, passwordHash, fields }: Omit<PendingSignUp, 'id'>,
    key: string | undefined,
    em: EntityManager,
  ): Promise<string> {
    const address = normalizeEmail(email);
    const hash = key === undefined ? null : hashOfMailedKey(key);
    const parameters = [address, passwordHash, JSON.stringify(fields), hash, this.#expiry];
    const [row] = await this.database.query<{ id: string }>(this.#sql.insert, parameters, em);
    await this.database.query(this.#sql.trim, [address], em);
    return String(row?.id);
  }

  /** The sign-up that a key confirms. */
  async find(key: string, em?: EntityManager): Promise<PendingSignUp | undefined> {
    if (!isMailedKey(key)) return undefined;
    const [found] = await this.database.query<PendingSignUp>(this.#sql.find, [hashOfMailedKey(key), this.#now], em);
    return found && { ...found, id: String(found.id) };
  }

  /** Deletes the sign-up that a key confirms, and makes the others of its address unconfirmable. False: it was gone. */
  async claim({ id, email }: PendingSignUp, key: string, em: EntityManager): Promise<boolean> {
    const deleted = await this.database.query(this.#sql.claim, [id, hashOfMailedKey(key), this.#now], em);
    if (deleted.length === 0) return false;
    await this.voidAll(email, em);
    return true;
  }

  /** Makes the sign-ups of an address unconfirmable: it is somebody's. Their passwords are answered as before. */
  async voidAll(email: string, em: EntityManager): Promise<void> {
    await this.database.query(this.#sql.void, [normalizeEmail(email)], em);
  }

  /**
   * Lets a sign-up wait for its full time again, under a new key if one is given and the sign-up can be confirmed at
   * all. False: no sign-up has got the key.
   */
  async renew(id: string, key: string | undefined, em: EntityManager): Promise<boolean> {
    const hash = key === undefined ? null : hashOfMailedKey(key);
    const parameters = [id, hash, this.#expiry, this.#now];
    const [row] = await this.database.query<{ hash: string | null }>(this.#sql.renew, parameters, em);
    return hash !== null && row?.hash === hash;
  }

  /** The ids of the sign-ups of an address that wait, the newest first. */
  async ids(email: string, em: EntityManager): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(this.#sql.ids, [normalizeEmail(email), this.#now], em);
    return rows.map(({ id }) => String(id));
  }

  /** The password hashes of the sign-ups of an address, the newest first. */
  async passwordHashes(email: string): Promise<string[]> {
    const parameters = [normalizeEmail(email), this.#now];
    const rows = await this.database.query<{ hash: string }>(this.#sql.hashes, parameters);
    return rows.map(({ hash }) => hash);
  }

  get #now(): Date {
    return new Date(this.clock.now());
  }

  get #expiry(): Date {
    return new Date(this.clock.now() + this.settings.emailConfirmationLifetime * 1000);
  }
}

function statements(signUp: Table) {
  const { name } = signUp;
  const [id, email, passwordHash, fields, keyHash, expiresAt] = [
    'id',
    'email',
    'passwordHash',
    'fields',
    'keyHash',
    'expiresAt',
  ].map((property) => signUp.column(property));
  return {
    insert: `
      insert into ${name} (${email}, ${passwordHash}, ${fields}, ${keyHash}, ${expiresAt})
      values ($1, $2, $3::jsonb, $4, $5) returning ${id} as "id"`,
    trim: `
      delete from ${name} where ${email} = $1
        and ${id} <= (select ${id} from ${name} where ${email} = $1 order by ${id} desc offset ${KEPT} limit 1)`,
    find: `
      select ${id} as "id", ${email} as "email", ${passwordHash} as "passwordHash", ${fields} as "fields"
      from ${name} where ${keyHash} = $1 and ${expiresAt} > $2`,
    claim: `delete from ${name} where ${id} = $1 and ${keyHash} = $2 and ${expiresAt} > $3 returning 1`,
    void: `update ${name} set ${keyHash} = null where ${email} = $1 and ${keyHash} is not null`,
    renew: `
      update ${name} set ${expiresAt} = $3,
        ${keyHash} = case when ${keyHash} is null then null else coalesce($2, ${keyHash}) end
      where ${id} = $1 and ${expiresAt} > $4
      returning ${keyHash} as "hash"`,
    ids: `
      select ${id} as "id" from ${name} where ${email} = $1 and ${expiresAt} > $2
      order by ${id} desc limit ${KEPT}`,
    hashes: `
      select ${passwordHash} as "hash" from ${name} where ${email} = $1 and ${expiresAt} > $2
      order by ${id} desc limit ${KEPT}`,
  };
}
