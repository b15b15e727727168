import { createHash } from 'node:crypto';
import type { EntityManager, Kysely, MikroORM } from '@mikro-orm/postgresql';
import { serviceUnavailable } from '../error-table.js';
import { DedicatedConnection, type PgClient } from './dedicated-connection.js';
import { isDatabaseUnavailable } from './unavailability.js';

/** Milliseconds that a statement waits for a connection where the app's pool sets no limit of its own. */
const POOL_WAIT_MS = 5000;

type Statement = Parameters<Kysely<unknown>['executeQuery']>[0];

/** What this file uses of a pool of `pg`. */
interface Pool {
  readonly options: { connectionTimeoutMillis?: number; allowExitOnIdle?: boolean; password?: unknown };
  /** Not in the types of `pg`, but in every pool. */
  readonly Client?: new (
    options: object,
  ) => PgClient;
  query(statement: { name?: string; text: string; values: readonly unknown[] }): Promise<{ rows: unknown[] }>;
}

/** SQLSTATE of a prepared statement whose tables have changed since. It was not executed. */
const PLAN_OUTDATED = '0A000';

/**
 * SQLSTATEs of a name that the connection does not have, or has already: a pooler behind the pool swaps connections.
 */
const CONNECTION_SWAPPED = ['26000', '42P05'];

/**
 * The library's own way to PostgreSQL: parametrised statements beside the unit of work, and forks that never flush the
 * app's changes. A database that is away becomes `service_unavailable`.
 */
export class Database {
  #canPrepare = false;
  #isPoolKnown = false;
  /** What has to be done when the transaction of an EntityManager of ours has committed. */
  readonly #afterCommit = new WeakMap<EntityManager, (() => void)[]>();
  readonly #names = new Map<string, string>();
  /** The EntityManagers that were made here. */
  readonly #own = new WeakSet<EntityManager>();

  constructor(private readonly orm: MikroORM) {}

  /**
   * Bounds the wait for a connection, which `pg` leaves unbounded: an exhausted pool must answer, not hang. Prepares
   * statements on this pool, unless the app has something done to each connection: only MikroORM's own way does that.
   */
  async usePool(): Promise<void> {
    this.#isPoolKnown = true;
    const pool = await this.#pool();
    pool.options.connectionTimeoutMillis ||= POOL_WAIT_MS;
    const { config } = this.orm;
    const isTouched = config.get('onCreateConnection') || config.get('onReserveConnection');
    this.#canPrepare = !isTouched && config.get('sessionContext') !== 'connection';
  }

  /** The pool of the app's ORM. While the database is away, MikroORM may not have one at its first question. */
  async #pool(): Promise<Pool> {
    try {
      return await this.#connection.getNativeClient();
    } catch (error) {
      if (isDatabaseUnavailable(error)) this.#isPoolKnown = false;
      throw error;
    }
  }

  /**
   * Runs one statement with `$1`-style parameters and returns its rows: in the transaction of `em` if one is given,
   * else on a connection of its own, committed when this returns and out of reach of any transaction of the app.
   */
  async query<Row = Record<string, unknown>>(
    sql: string,
    parameters: readonly unknown[],
    em?: EntityManager,
  ): Promise<Row[]> {
    return this.#available(async () => {
      const transaction = em?.getTransactionContext();
      if (this.#canPrepare && !transaction) return (await this.#prepared(sql, parameters)).rows as Row[];
      await this.#connection.ensureConnection();
      const { rows } = await (transaction ?? this.#connection.getClient()).executeQuery(toStatement(sql, parameters));
      return rows as Row[];
    });
  }

  /** Runs a statement that each connection parses and plans only once, or anew where what was prepared is outdated. */
  async #prepared(text: string, values: readonly unknown[]): Promise<{ rows: unknown[] }> {
    const pool = await this.#pool(); // asked each time: the app may connect its ORM anew
    try {
      return await pool.query({ name: this.#nameOf(text), text, values });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (CONNECTION_SWAPPED.includes(code)) this.#canPrepare = false;
      else if (code !== PLAN_OUTDATED) throw error;
      return pool.query({ text, values });
    }
  }

  /** A name that says the same for the same text, on whatever connection and in whatever process. */
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known) return known;
    const name = `jwt_allauth_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    this.#names.set(text, name);
    return name;
  }

  /**
   * Runs `work` in a transaction on an EntityManager of its own, never joined to one of the app, and flushes it before
   * the commit. Kysely's own transaction is used because `em.transactional` never gives a connection back to the pool
   * that is lost on the way: a few cut connections would exhaust it. READ COMMITTED whatever the database's default is:
   * a statement that had to wait for a row must see what the row has become.
   */
  async transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const em = this.fork();
    const afterwards: (() => void)[] = [];
    this.#afterCommit.set(em, afterwards);
    const result = await this.#available(async () => {
      await this.#connection.ensureConnection();
      const transaction = this.#connection.getClient().transaction().setIsolationLevel('read committed');
      return transaction.execute(async (context) => {
        em.setTransactionContext(context);
        const worked = await work(em);
        await em.flush();
        return worked;
      });
    }).finally(() => {
      em.resetTransactionContext();
      this.#afterCommit.delete(em);
    });
    for (const callback of afterwards) callback();
    return result;
  }

  /**
   * Runs a part of the transaction of `em`. If it throws, what it has written is taken back, and what was written
   * before stays.
   */
  async savepoint<T>(em: EntityManager, work: () => Promise<T>): Promise<T> {
    const afterwards = this.#afterCommit.get(em);
    const before = afterwards?.length ?? 0;
    await this.query('savepoint part', [], em);
    try {
      const result = await work();
      await this.query('release savepoint part', [], em);
      return result;
    } catch (error) {
      afterwards?.splice(before);
      await this.query('rollback to savepoint part', [], em);
      throw error;
    }
  }

  /**
   * Calls back when the transaction of `em` has committed: at once where there is none, or where it is the app's own.
   */
  afterCommit(em: EntityManager | undefined, callback: () => void): void {
    const waiting = em && this.#afterCommit.get(em);
    if (waiting) waiting.push(callback);
    else callback();
  }

  /** Runs `work` on an EntityManager of its own, without a transaction. */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.#available(() => work(this.fork()));
  }

  /**
   * A connection beside the pool, made as the pool makes its own. A statement on it fails after so many milliseconds.
   */
  async connect(queryTimeoutMs: number): Promise<DedicatedConnection> {
    return this.#available(async () => {
      const pool = await this.#pool();
      if (!pool.Client) throw new TypeError('the ORM does not connect through a pool of pg');
      const { password, connectionTimeoutMillis = POOL_WAIT_MS } = pool.options; // the password is not enumerable
      const own = { password, connectionTimeoutMillis, query_timeout: queryTimeoutMs };
      return DedicatedConnection.open(new pool.Client({ ...pool.options, ...own }));
    });
  }

  /** Lets the process end though the pool holds connections: what is done by a timer must not keep it alive. */
  async unrefIdleConnections(): Promise<void> {
    const pool = await this.#pool();
    pool.options.allowExitOnIdle = true;
  }

  /** An EntityManager of its own: empty, and outside of the request's and of every transaction. */
  fork(): EntityManager {
    const fork = this.orm.em.fork({ useContext: false, disableContextResolution: true });
    this.#own.add(fork);
    return fork;
  }

  /**
   * An EntityManager to read with in the transaction of `em`: that itself where it is one of ours, else one beside it.
   * What an EntityManager of the app's manages is neither refreshed nor flushed by us.
   */
  reader(em: EntityManager): EntityManager {
    return this.#own.has(em) ? em : this.forkInTransactionOf(em);
  }

  /** An empty EntityManager in the transaction of `em`. */
  forkInTransactionOf(em: EntityManager): EntityManager {
    const fork = this.fork();
    const transaction = em.getTransactionContext();
    if (transaction) fork.setTransactionContext(transaction);
    return fork;
  }

  get #connection() {
    return this.orm.em.getConnection();
  }

  async #available<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (!this.#isPoolKnown) await this.usePool();
      return await work();
    } catch (error) {
      throw isDatabaseUnavailable(error) ? serviceUnavailable(error) : error;
    }
  }
}

/** A statement in the form that Kysely executes, with its parameters apart from its text. */
function toStatement(sql: string, parameters: readonly unknown[]): Statement {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as const;
  return { sql, parameters, query, queryId: { queryId: sql } };
}
