import type { EntityManager } from '@mikro-orm/postgresql';
import { Table } from '../../database/table.js';
import type { AuthKernel } from '../../kernel.js';
import { hashOfRandomKey, isRandomKey } from '../../secrets/random-key.js';
import type { UserId } from '../../users/base-user.entity.js';
import { MAGIC_LINK_ENTITY } from './magic-link.entity.js';

/** Maximum number of wrong codes of one request. */
const MAX_ATTEMPTS = 3;

/** Whom a mail signs in. */
export interface MailedSignIn {
  readonly email: string;
  /** The user who had the address when the mail was written. Null: no user had it. */
  readonly user: UserId | null;
  readonly credentialEpoch: number;
}

/** A request that is stored, with the hashes of its three secrets. */
export interface NewMagicLink extends MailedSignIn {
  readonly requestHash: string;
  readonly keyHash: string;
  readonly codeHash: string;
  readonly expiresAt: Date;
}

/**
 * Stores the requests for a sign-in by mail. The link and the code of a mail are one row, so that either voids the
 * other. An address has one row, so that a new request supersedes the older one.
 */
export class MagicLinkStore {
  readonly #sql: ReturnType<typeof statements>;

  constructor(private readonly kernel: Pick<AuthKernel, 'database' | 'orm' | 'clock'>) {
    this.#sql = statements(Table.named(kernel.orm, MAGIC_LINK_ENTITY));
  }

  /** Stores a request in place of an earlier one for the address. False: there is a later request. */
  async replace(link: NewMagicLink, em: EntityManager): Promise<boolean> {
    const { requestHash, keyHash, codeHash, email, user, credentialEpoch, expiresAt } = link;
    const parameters = [requestHash, keyHash, codeHash, email, user, credentialEpoch, expiresAt];
    return (await this.kernel.database.query(this.#sql.replace, parameters, em)).length > 0;
  }

  /** Finds whom a link signs in, without using it up. */
  async find(key: string): Promise<(MailedSignIn & { readonly expiresAt: Date }) | undefined> {
    if (!isRandomKey(key)) return undefined;
    const [row] = await this.kernel.database.query<MailedSignIn & { readonly expiresAt: string }>(this.#sql.find, [
      hashOfRandomKey(key),
      this.#now,
    ]);
    return row && { ...row, expiresAt: new Date(row.expiresAt) };
  }

  /**
   * Counts an attempt with a code, in a statement that commits at once, so that parallel attempts on several servers
   * are all counted. Undefined: the request is not valid, or its attempts are used up.
   */
  async countAttempt(requestHash: string): Promise<(MailedSignIn & { readonly codeHash: string }) | undefined> {
    const parameters = [requestHash, this.#now];
    const rows = await this.kernel.database.query<MailedSignIn & { codeHash: string }>(this.#sql.count, parameters);
    return rows[0];
  }

  /** Subtracts an attempt that was no wrong code. */
  async releaseAttempt(requestHash: string): Promise<void> {
    await this.kernel.database.query(this.#sql.release, [requestHash]);
  }

  /** Uses a link up, and its code with it. False: it is not valid any more. */
  async useLink(key: string, em: EntityManager): Promise<boolean> {
    return this.#use(this.#sql.useLink, hashOfRandomKey(key), em);
  }

  /** Uses a code up whose attempt was counted, and its link with it. False: it is not valid any more. */
  async useCode(requestHash: string, em: EntityManager): Promise<boolean> {
    return this.#use(this.#sql.useCode, requestHash, em);
  }

  async #use(sql: string, hash: string, em: EntityManager): Promise<boolean> {
    return (await this.kernel.database.query(sql, [hash, this.#now], em)).length > 0;
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }
}

function statements(link: Table) {
  const { name } = link;
  const [request, key, code, email, user, epoch, attempts, expiresAt] = [
    'requestHash',
    'keyHash',
    'codeHash',
    'email',
    'user',
    'credentialEpoch',
    'attempts',
    'expiresAt',
  ].map((property) => link.column(property));
  const replaced = [request, key, code, user, epoch, expiresAt].map((column) => `${column} = excluded.${column}`);
  const read = `${email} as "email", ${user} as "user", ${epoch} as "credentialEpoch"`;
  const isOpen = `${expiresAt} > $2 and ${attempts} < ${MAX_ATTEMPTS}`;
  return {
    replace: `
      insert into ${name} as m (${request}, ${key}, ${code}, ${email}, ${user}, ${epoch}, ${expiresAt})
      values ($1, $2, $3, $4, $5, $6, $7)
      on conflict (${email}) do update set ${replaced.join(', ')}, ${attempts} = 0
      where m.${expiresAt} <= excluded.${expiresAt} returning 1`,
    find: `select ${read}, ${expiresAt} as "expiresAt" from ${name} where ${key} = $1 and ${isOpen}`,
    count: `
      update ${name} set ${attempts} = ${attempts} + 1 where ${request} = $1 and ${isOpen}
      returning ${read}, ${code} as "codeHash"`,
    release: `update ${name} set ${attempts} = ${attempts} - 1 where ${request} = $1`,
    useLink: `delete from ${name} where ${key} = $1 and ${isOpen} returning 1`,
    useCode: `delete from ${name} where ${request} = $1 and ${expiresAt} > $2 returning 1`,
  };
}
