import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { hashOfMailedKey, isMailedKey } from '../secrets/mailed-key.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from './email.js';
import { PENDING_SIGN_UP_ENTITY } from './pending-sign-up.entity.js';
import type { SignUpOrigin } from './sign-up-origin.js';
import type { NewUserFields } from './user-creation.service.js';

/**
 * Sign-ups of one address that are kept, the newest. MAIL_RATE_LIMIT lets 20 an hour through for one mailbox by
 * default: a flood of strangers needs hours to push out the sign-up of the owner.
 */
const MAX_KEPT = 50;

/** Bytes of a salt (RFC 9106 §3.1). */
const SALT_BYTES = 16;

/** What a sign-up becomes a user with. */
export interface PendingSignUp {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  /** What else was given. */
  readonly fields: NewUserFields;
}

/** A sign-up that can still be confirmed. */
export interface WaitingSignUp extends SignUpOrigin {
  readonly id: string;
}

/**
 * The statements on sign-ups that wait for their mail to be opened. Each names the address, the id or the key as an
 * equality.
 */
export class PendingSignUps {
  readonly #sql: ReturnType<typeof statements>;
  /** Makes the salts of addresses. With another key only a sign-in before the confirmation is answered otherwise. */
  readonly #saltKey: KeyObject;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly settings: Pick<Settings, 'emailConfirmationLifetime'>;
      readonly clock: Clock;
      readonly encryption: EncryptionKeys;
    },
  ) {
    const { orm, encryption } = kernel;
    this.#saltKey = encryption.hashKey('sign-up salts');
    this.#sql = statements(Table.named(orm, PENDING_SIGN_UP_ENTITY));
  }

  /**
   * The salt of an address, the same for each of its sign-ups: so that one computation tells whether a password is that
   * of any of them (`PasswordHasher.verifyAny`).
   */
  saltFor(email: string): Uint8Array {
    return createHmac('sha256', this.#saltKey).update(normalizeEmail(email)).digest().subarray(0, SALT_BYTES);
  }

  /**
   * Stores a sign-up and drops the oldest of its address beyond 50. Without a key it can never be confirmed. Returns
   * its id.
   */
  async add(
    { email, passwordHash, fields }: Omit<PendingSignUp, 'id'>,
    { at, from }: SignUpOrigin,
    key: string | undefined,
    em: EntityManager,
  ): Promise<string> {
    const address = normalizeEmail(email);
    const hash = key === undefined ? null : hashOfMailedKey(key);
    const parameters = [address, passwordHash, toJson(fields), hash, this.#expiry, at ?? null, from ?? null];
    const [row] = await this.kernel.database.query<{ id: string }>(this.#sql.insert, parameters, em);
    await this.kernel.database.query(this.#sql.trim, [address], em);
    return String(row?.id);
  }

  /** The sign-up that a key confirms. */
  async find(key: string, em?: EntityManager): Promise<PendingSignUp | undefined> {
    if (!isMailedKey(key)) return undefined;
    const [found] = await this.kernel.database.query<PendingSignUp>(
      this.#sql.find,
      [hashOfMailedKey(key), this.#now],
      em,
    );
    return found && { ...found, id: String(found.id) };
  }

  /** Deletes the sign-up that a key confirms, and makes the others of its address unconfirmable. False: it was gone. */
  async claim({ id, email }: PendingSignUp, key: string, em: EntityManager): Promise<boolean> {
    const deleted = await this.kernel.database.query(this.#sql.claim, [id, hashOfMailedKey(key), this.#now], em);
    if (deleted.length === 0) return false;
    await this.voidAll(email, em);
    return true;
  }

  /** Makes the sign-ups of an address unconfirmable: it is somebody's. Their passwords are answered as before. */
  async voidAll(email: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.void, [normalizeEmail(email)], em);
  }

  /**
   * Lets all sign-ups of an address wait for their full time again, whether or not they can be confirmed: a sign-in
   * with the password of one must be answered alike for as long. Their keys end when their mails said.
   */
  async prolong(email: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.prolong, [normalizeEmail(email), this.#expiry, this.#now], em);
  }

  /** Gives a sign-up that can be confirmed a new key, in place of the one that it had. */
  async renewKey(id: string, key: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.renewKey, [id, hashOfMailedKey(key), this.#expiry], em);
  }

  /** The sign-ups of an address that can be confirmed, the newest first. */
  async waiting(email: string, em: EntityManager): Promise<WaitingSignUp[]> {
    const parameters = [normalizeEmail(email), this.#now];
    const rows = await this.kernel.database.query<WaitingSignUp>(this.#sql.waiting, parameters, em);
    return rows.map(({ id, at, from }) => ({ id: String(id), at: at ? new Date(at) : undefined, from }));
  }

  /** The password hashes of the sign-ups of an address, the newest first. */
  async passwordHashes(email: string): Promise<string[]> {
    const parameters = [normalizeEmail(email), this.#now];
    const rows = await this.kernel.database.query<{ hash: string }>(this.#sql.hashes, parameters);
    return rows.map(({ hash }) => hash);
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }

  get #expiry(): Date {
    return new Date(this.kernel.clock.now() + this.kernel.settings.emailConfirmationLifetime * 1000);
  }
}

/** JSON, in which a bigint is a text. */
function toJson(value: object): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each));
}

function statements(signUp: Table) {
  const { name } = signUp;
  const [id, email, passwordHash, fields, keyHash, expiresAt, keyExpiresAt, createdAt, signedUpFrom] = [
    'id',
    'email',
    'passwordHash',
    'fields',
    'keyHash',
    'expiresAt',
    'keyExpiresAt',
    'createdAt',
    'signedUpFrom',
  ].map((property) => signUp.column(property));
  const keyEnd = `coalesce(${keyExpiresAt}, ${expiresAt})`;
  return {
    insert: `
      insert into ${name} (
        ${email}, ${passwordHash}, ${fields}, ${keyHash}, ${expiresAt}, ${keyExpiresAt}, ${createdAt}, ${signedUpFrom})
      values ($1, $2, $3::jsonb, $4, $5, $5, $6, $7) returning ${id} as "id"`,
    trim: `
      delete from ${name} where ${email} = $1
        and ${id} <= (select ${id} from ${name} where ${email} = $1 order by ${id} desc offset ${MAX_KEPT} limit 1)`,
    find: `
      select ${id} as "id", ${email} as "email", ${passwordHash} as "passwordHash", ${fields} as "fields"
      from ${name} where ${keyHash} = $1 and ${keyEnd} > $2`,
    claim: `delete from ${name} where ${id} = $1 and ${keyHash} = $2 and ${keyEnd} > $3 returning 1`,
    void: `update ${name} set ${keyHash} = null where ${email} = $1 and ${keyHash} is not null`,
    prolong: `
      update ${name} set ${keyExpiresAt} = ${keyEnd}, ${expiresAt} = $2 where ${email} = $1 and ${expiresAt} > $3`,
    renewKey: `
      update ${name} set ${keyHash} = $2, ${keyExpiresAt} = $3 where ${id} = $1 and ${keyHash} is not null`,
    waiting: `
      select ${id} as "id", ${createdAt} as "at", ${signedUpFrom} as "from" from ${name}
      where ${email} = $1 and ${expiresAt} > $2 and ${keyHash} is not null
      order by ${id} desc limit ${MAX_KEPT}`,
    hashes: `
      select ${passwordHash} as "hash" from ${name} where ${email} = $1 and ${expiresAt} > $2
      order by ${id} desc limit ${MAX_KEPT}`,
  };
}
