import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import { hashOfRandomKey, isRandomKey } from '../secrets/random-key.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from './email.js';
import { PENDING_SIGN_UP_ENTITY } from './pending-sign-up.entity.js';
import type { SignUpOrigin } from './sign-up-origin.js';
import type { NewUserFields } from './user-creation.service.js';

/**
 * How many sign-ups of one address are kept. The oldest are deleted. By default, MAIL_RATE_LIMIT allows 20 mails an
 * hour for a mailbox, so that strangers would need hours to displace the owner's sign-up.
 */
const MAX_KEPT = 50;

/** Length of a salt, in bytes (RFC 9106 §3.1). */
const SALT_BYTES = 16;

/** An unconfirmed sign-up, with what is needed to make a user from it. */
export interface PendingSignUp {
  readonly id: string;
  readonly email: string;
  /** Null: the user will have no password. */
  readonly passwordHash: string | null;
  /** The other fields of the sign-up. */
  readonly fields: NewUserFields;
  /**
   * Work of a module that is done for the new user (`ModuleParts.completions`): its name, data that JSON can represent,
   * and how the person has signed up (default: the name).
   */
  readonly completion?: {
    readonly name: string;
    readonly data: Readonly<Record<string, unknown>>;
    readonly method?: string;
  } | null;
}

/** An unconfirmed sign-up that can still be confirmed, if need be with a new key. */
export interface WaitingSignUp extends SignUpOrigin {
  readonly id: string;
}

/** The statements on unconfirmed sign-ups. Each has an equality condition on the address, the id or the key. */
export class PendingSignUps {
  readonly #sql: ReturnType<typeof statements>;
  /** Makes the salts. With another key, only a sign-in before the confirmation gets a different answer. */
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
   * The salt for the sign-ups of an address. It is the same for all of them, so that a single hash shows whether a
   * password belongs to any of them (`PasswordHasher.verifyAny`).
   */
  saltFor(email: string): Uint8Array {
    return createHmac('sha256', this.#saltKey).update(normalizeEmail(email)).digest().subarray(0, SALT_BYTES);
  }

  /**
   * Stores a sign-up, and deletes the oldest of its address if there are more than 50.
   *
   * @param key the mailed key. Undefined: the sign-up can never be confirmed
   * @returns the id
   */
  async add(
    { email, passwordHash, fields, completion }: Omit<PendingSignUp, 'id'>,
    { at, from }: SignUpOrigin,
    key: string | undefined,
    em: EntityManager,
  ): Promise<string> {
    const address = normalizeEmail(email);
    const hash = key === undefined ? null : hashOfRandomKey(key);
    const work = completion ? toJson(completion) : null;
    const parameters = [address, passwordHash, toJson(fields), hash, this.#expiry, at ?? null, from ?? null, work];
    const [row] = await this.kernel.database.query<{ id: string }>(this.#sql.insert, parameters, em);
    await this.kernel.database.query(this.#sql.trim, [address], em);
    return String(row?.id);
  }

  /** Finds the sign-up that a mailed key confirms. */
  async find(key: string, em?: EntityManager): Promise<PendingSignUp | undefined> {
    if (!isRandomKey(key)) return undefined;
    const [found] = await this.kernel.database.query<PendingSignUp>(
      this.#sql.find,
      [hashOfRandomKey(key), this.#now],
      em,
    );
    return found && { ...found, id: String(found.id) };
  }

  /**
   * Deletes a sign-up that is being confirmed, and invalidates the other sign-ups of its address.
   *
   * @returns false if the sign-up does not exist any more, or its key has expired or changed
   */
  async claim({ id, email }: PendingSignUp, key: string, em: EntityManager): Promise<boolean> {
    const deleted = await this.kernel.database.query(this.#sql.claim, [id, hashOfRandomKey(key), this.#now], em);
    if (deleted.length === 0) return false;
    await this.invalidateAll(email, em);
    return true;
  }

  /**
   * Makes the sign-ups of an address unconfirmable, because a user has the address now. A sign-in with one of their
   * passwords gets the same answer as before.
   */
  async invalidateAll(email: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.void, [normalizeEmail(email)], em);
  }

  /**
   * Restarts the lifetime of all unexpired sign-ups of an address, confirmable or not, so that a sign-in with one of
   * their passwords gets the same answer for the same time. The expiry of their mailed keys does not change.
   */
  async prolong(email: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.prolong, [normalizeEmail(email), this.#expiry, this.#now], em);
  }

  /** Replaces the key of a confirmable sign-up. */
  async renewKey(id: string, key: string, em: EntityManager): Promise<void> {
    await this.kernel.database.query(this.#sql.renewKey, [id, hashOfRandomKey(key), this.#expiry], em);
  }

  /** The unexpired, confirmable sign-ups of an address, newest first. */
  async waiting(email: string, em: EntityManager): Promise<WaitingSignUp[]> {
    const parameters = [normalizeEmail(email), this.#now];
    const rows = await this.kernel.database.query<WaitingSignUp>(this.#sql.waiting, parameters, em);
    return rows.map(({ id, at, from }) => ({ id: String(id), at: at ? new Date(at) : undefined, from }));
  }

  /** The password hashes of all unexpired sign-ups of an address, newest first. */
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

/** JSON in which a bigint is a string. */
function toJson(value: object): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each));
}

const PROPERTIES = [
  'id',
  'email',
  'passwordHash',
  'fields',
  'keyHash',
  'expiresAt',
  'keyExpiresAt',
  'createdAt',
  'signedUpFrom',
  'completion',
] as const;

function statements(signUp: Table) {
  const { name } = signUp;
  const [id, email, passwordHash, fields, keyHash, expiresAt, keyExpiresAt, createdAt, signedUpFrom, completion] =
    PROPERTIES.map((property) => signUp.column(property));
  const keyEnd = `coalesce(${keyExpiresAt}, ${expiresAt})`;
  return {
    insert: `
      insert into ${name} (
        ${email}, ${passwordHash}, ${fields}, ${keyHash}, ${expiresAt}, ${keyExpiresAt}, ${createdAt}, ${signedUpFrom},
        ${completion})
      values ($1, $2, $3::jsonb, $4, $5, $5, $6, $7, $8::jsonb) returning ${id} as "id"`,
    trim: `
      delete from ${name} where ${email} = $1
        and ${id} <= (select ${id} from ${name} where ${email} = $1 order by ${id} desc offset ${MAX_KEPT} limit 1)`,
    find: `
      select ${id} as "id", ${email} as "email", ${passwordHash} as "passwordHash", ${fields} as "fields",
        ${completion} as "completion"
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
      select ${passwordHash} as "hash" from ${name}
      where ${email} = $1 and ${expiresAt} > $2 and ${passwordHash} is not null
      order by ${id} desc limit ${MAX_KEPT}`,
  };
}
