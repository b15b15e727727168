import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import type { UserId } from '../../users/base-user.entity.js';
import { PASSKEY_ENTITY } from './passkey.entity.js';
import { type PasskeyStatements, passkeyStatements } from './passkey-statements.js';

/** A passkey as its user sees it. */
export interface Passkey {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  /** Null: it was not used yet. */
  readonly lastUsedAt: Date | null;
  /** Whether it is on several devices, or in a backup. */
  readonly isBackedUp: boolean;
  /** Whether it does not work any more, because its counter went back. */
  readonly isDisabled: boolean;
}

/** What a browser needs to find the authenticator of a passkey, and the id of the user there. */
export interface PasskeyReference {
  /** The id that the authenticator chose, in base64url. */
  readonly credentialId: string;
  readonly userHandle: string;
  readonly transports: readonly string[];
  readonly isDisabled: boolean;
}

/** A passkey as a signature is checked with it. */
export interface StoredPasskey extends PasskeyReference {
  readonly id: string;
  readonly user: UserId;
  /** A COSE key. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly isBackupEligible: boolean;
}

/** A passkey that an authenticator has just made. */
export interface NewPasskey extends Omit<StoredPasskey, 'id' | 'user' | 'isDisabled'> {
  readonly counter: number;
  readonly aaguid: string;
  readonly name: string;
  readonly isBackedUp: boolean;
  /** The address of the user, if it is proved. */
  readonly provedEmail: string | null;
  /** The domain for which it was made. */
  readonly rpId: string;
}

/** The result of a use of a passkey. */
export interface PasskeyUse {
  readonly counter: number;
  readonly isBackedUp: boolean;
}

/** A row. Instants are milliseconds since the epoch. */
interface PasskeyRow extends Omit<Passkey, 'createdAt' | 'lastUsedAt'> {
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** Stores passkeys. Each statement has an equality condition on the user, or on the id of the credential. */
export class PasskeyStore {
  readonly #sql: PasskeyStatements;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock'>) {
    this.#sql = passkeyStatements(Table.named(kernel.orm, PASSKEY_ENTITY));
  }

  /** Finds a passkey by the id that its authenticator chose. */
  async find(credentialId: string): Promise<StoredPasskey | undefined> {
    const [row] = await this.kernel.database.query<StoredPasskey>(this.#sql.find, [credentialId]);
    return row;
  }

  /** The passkeys of a user, oldest first. */
  async list(user: UserId, em?: EntityManager): Promise<Passkey[]> {
    return (await this.kernel.database.query<PasskeyRow>(this.#sql.list, [user], em)).map(toPasskey);
  }

  /** The same passkeys, for a browser. */
  async references(user: UserId): Promise<PasskeyReference[]> {
    return this.kernel.database.query<PasskeyReference>(this.#sql.references, [user]);
  }

  /** How many passkeys of a user can be used. */
  async countUsable(user: UserId, em?: EntityManager): Promise<number> {
    const [row] = await this.kernel.database.query<{ count: number }>(this.#sql.countUsable, [user], em);
    return row?.count ?? 0;
  }

  /** Adds a passkey to a user. Undefined: it is registered already, for this user or another one. */
  async insert(user: UserId, passkey: NewPasskey, em: EntityManager): Promise<Passkey | undefined> {
    const { credentialId, userHandle, publicKey, counter, transports, aaguid, name } = passkey;
    const { isBackupEligible, isBackedUp, provedEmail, rpId } = passkey;
    const parameters = [
      ...[randomUUID(), user, credentialId, userHandle, Buffer.from(publicKey), counter, transports, aaguid, name],
      ...[isBackupEligible, isBackedUp, provedEmail, this.#now, rpId],
    ];
    const [row] = await this.kernel.database.query<PasskeyRow>(this.#sql.insert, parameters, em);
    return row && toPasskey(row);
  }

  /** Renames a passkey of a user. Undefined: the user has no such passkey. */
  async rename(user: UserId, id: string, name: string): Promise<Passkey | undefined> {
    const [row] = await this.kernel.database.query<PasskeyRow>(this.#sql.rename, [user, id, name]);
    return row && toPasskey(row);
  }

  /**
   * Records the use of a passkey. False: it was removed or disabled, or its counter has not grown. Authenticators that
   * do not count send 0 each time.
   */
  async use({ user, id }: StoredPasskey, { counter, isBackedUp }: PasskeyUse, em: EntityManager): Promise<boolean> {
    const parameters = [user, id, counter, isBackedUp, this.#now];
    return (await this.kernel.database.query(this.#sql.use, parameters, em)).length > 0;
  }

  /** Disables a passkey whose counter has not grown. False: it has, or the passkey was removed or disabled before. */
  async disable({ user, id }: StoredPasskey, counter: number, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(this.#sql.disable, [user, id, counter, this.#now], em)).length > 0;
  }

  /** Removes a passkey of a user. Undefined: the user has no such passkey. */
  async remove(user: UserId, id: string, em: EntityManager): Promise<Passkey | undefined> {
    const [row] = await this.kernel.database.query<PasskeyRow>(this.#sql.remove, [user, id], em);
    return row && toPasskey(row);
  }

  /** Removes the passkeys that were added at a time or later. @returns their ids */
  async removeSince(user: UserId, since: Date, em: EntityManager): Promise<string[]> {
    return this.#idsOf(this.#sql.removeSince, [user, since], em);
  }

  /** Removes the passkeys that were added before this address of the user was proved. @returns their ids */
  async removeUnproved(user: UserId, email: string, em: EntityManager): Promise<string[]> {
    return this.#idsOf(this.#sql.removeUnproved, [user, email], em);
  }

  async #idsOf(sql: string, parameters: readonly unknown[], em: EntityManager): Promise<string[]> {
    return (await this.kernel.database.query<{ id: string }>(sql, parameters, em)).map(({ id }) => id);
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }
}

function toPasskey({ createdAt, lastUsedAt, ...row }: PasskeyRow): Passkey {
  const { id, name, isBackedUp, isDisabled } = row;
  const used = lastUsedAt === null ? null : new Date(lastUsedAt);
  return { id, name, createdAt: new Date(createdAt), lastUsedAt: used, isBackedUp, isDisabled };
}
