import { createHash } from 'node:crypto';
import type { EntityManager, Kysely, MikroORM } from '@mikro-orm/postgresql';
import { serviceUnavailable } from '../error-table.js';
import { DedicatedConnection, type PgClient } from './dedicated-connection.js';
import { isPreparedStatementLost } from './lost-prepared-statement.js';
import { isDatabaseUnavailable } from './unavailability.js';

/** How long a statement waits for a connection if the app's pool sets no limit. */
const POOL_WAIT_MS = 5000;

type Statement = Parameters<Kysely<unknown>['executeQuery']>[0];

/** The part of a `pg` pool that this file uses. */
interface Pool {
  readonly options: { connectionTimeoutMillis?: number; allowExitOnIdle?: boolean; password?: unknown };
  /** Missing in the types of `pg`, but present in every pool. */
  readonly Client?: new (
    options: object,
  ) => PgClient;
  query(statement: { name?: string; text: string; values: readonly unknown[] }): Promise<{ rows: unknown[] }>;
}

/** SQLSTATE of a prepared statement that PostgreSQL did not execute, because its tables have changed. */
const PLAN_OUTDATED = '0A000';

/**
 * The library's access to PostgreSQL. It runs parametrised statements outside of the unit of work, and forks
 * EntityManagers that never flush the app's changes. If the database is unreachable or overloaded, statements,
 * transactions and new connections fail with `service_unavailable`.
 */
export class Database {
  #canPrepare = false;
  #isPoolKnown = false;
  /** Callbacks to run after the commit, for each EntityManager whose transaction this class has started. */
  readonly #afterCommit = new WeakMap<EntityManager, (() => void)[]>();
  readonly #names = new Map<string, string>();
  /** The EntityManagers that this class has forked. */
  readonly #forks = new WeakSet<EntityManager>();
  #statementManager: EntityManager | undefined;
  /** Private at run time, so that `util.inspect` does not show the password of the database. */
  readonly #orm: MikroORM;

  constructor(orm: MikroORM) {
    this.#orm = orm;
  }

  /**
   * Limits the wait for a connection if the app has set no limit: else an exhausted pool would block requests for
   * ever. Enables prepared statements, unless the app has hooks for each connection. Prepared statements go directly to
   * the pool, and MikroORM runs the hooks only on connections that it takes from the pool itself.
   */
  async usePool(): Promise<void> {
    this.#isPoolKnown = true;
    const pool = await this.#pool();
    pool.options.connectionTimeoutMillis ||= POOL_WAIT_MS;
    const { config } = this.#orm;
    const hasConnectionHooks = config.get('onCreateConnection') || config.get('onReserveConnection');
    this.#canPrepare = !hasConnectionHooks && config.get('sessionContext') !== 'connection';
  }

  /** The pool of the app's ORM. While the database is unreachable, MikroORM may not have one yet. */
  async #pool(): Promise<Pool> {
    try {
      return await this.#connection.getNativeClient();
    } catch (error) {
      if (isDatabaseUnavailable(error)) this.#isPoolKnown = false;
      throw error;
    }
  }

  /**
   * Runs one statement with `$1`-style parameters and returns its rows. It runs in the transaction of `em`. Without
   * one, it runs on a separate connection and has committed when this returns, also if a transaction of the app
   * rolls back.
   *
   * @throws service_unavailable
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

  /**
   * Runs a prepared statement, which each connection parses only once. Runs it unprepared if its plan is outdated, or
   * if a transaction pooler has switched the connection.
   */
  async #prepared(text: string, values: readonly unknown[]): Promise<{ rows: unknown[] }> {
    const pool = await this.#pool(); // not cached: the app may reconnect its ORM
    try {
      return await pool.query({ name: this.#nameOf(text), text, values });
    } catch (error) {
      if (isPreparedStatementLost(error)) this.#canPrepare = false;
      else if (!(error instanceof Error && 'code' in error && error.code === PLAN_OUTDATED)) throw error;
      return pool.query({ text, values });
    }
  }

  /** The name of a prepared statement: the same for the same text, on every connection and in every process. */
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known) return known;
    const name = `jwt_allauth_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
    this.#names.set(text, name);
    return name;
  }

  /**
   * Runs `work` in a new transaction, with a forked EntityManager that is flushed before the commit. It never joins a
   * transaction of the app. The isolation level is READ COMMITTED, also if the database has another default, because a
   * statement that waited for a row lock must see the new version of the row.
   *
   * This uses Kysely's transaction, because `em.transactional` does not return a broken connection to the pool: a few
   * lost connections would exhaust the pool.
   *
   * @throws service_unavailable, and what `work` throws
   */
  async transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const em = this.fork();
    const callbacks: (() => void)[] = [];
    this.#afterCommit.set(em, callbacks);
    const result = await this.#available(async () => {
      await this.#connection.ensureConnection();
      const transaction = this.#connection.getClient().transaction().setIsolationLevel('read committed');
      return transaction.execute(async (context) => {
        em.setTransactionContext(context);
        const value = await work(em);
        await em.flush();
        return value;
      });
    }).finally(() => {
      em.resetTransactionContext();
      this.#afterCommit.delete(em);
    });
    for (const callback of callbacks) callback();
    return result;
  }

  /**
   * Runs `work` in a new transaction that is always rolled back: for a check whose writes must not stay.
   *
   * @throws service_unavailable, and what `work` throws
   */
  async rehearse(work: (em: EntityManager) => Promise<unknown>): Promise<void> {
    const rollback = new Error('rolled back');
    const rehearsal = this.transaction(async (em) => {
      await work(em);
      throw rollback;
    });
    await rehearsal.catch((error: unknown) => {
      if (error !== rollback) throw error;
    });
  }

  /**
   * Runs `work` within a savepoint of the transaction of `em`. If `work` throws, only its own writes are rolled back.
   */
  async savepoint<T>(em: EntityManager, work: () => Promise<T>): Promise<T> {
    const callbacks = this.#afterCommit.get(em);
    const callbacksBefore = callbacks?.length ?? 0;
    await this.query('savepoint part', [], em);
    try {
      const result = await work();
      await this.query('release savepoint part', [], em);
      return result;
    } catch (error) {
      callbacks?.splice(callbacksBefore);
      await this.query('rollback to savepoint part', [], em);
      throw error;
    }
  }

  /**
   * Runs a callback after the commit, if `em` is the EntityManager of a call of `transaction`. Otherwise, also in a
   * transaction that the app has started, the callback runs at once.
   */
  afterCommit(em: EntityManager | undefined, callback: () => void): void {
    const callbacks = em && this.#afterCommit.get(em);
    if (callbacks) callbacks.push(callback);
    else callback();
  }

  /** Runs `work` with a forked EntityManager, without a transaction. */
  async read<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.#available(() => work(this.fork()));
  }

  /**
   * Opens a connection outside of the pool, with the options of the pool.
   *
   * @param queryTimeoutMs milliseconds after which a statement on it fails
   * @param url the server, database, user and password. Default: those of the pool
   * @throws service_unavailable; TypeError if the ORM does not use a pool of pg
   */
  async connect(queryTimeoutMs: number, url?: string): Promise<DedicatedConnection> {
    return this.#available(async () => {
      const pool = await this.#pool();
      if (!pool.Client) throw new TypeError('the ORM does not connect through a pool of pg');
      const { password, connectionTimeoutMillis = POOL_WAIT_MS } = pool.options; // the password is not enumerable
      const other = url === undefined ? {} : { connectionString: url };
      const overrides = { password, connectionTimeoutMillis, query_timeout: queryTimeoutMs, ...other };
      return DedicatedConnection.open(new pool.Client({ ...pool.options, ...overrides }));
    });
  }

  /**
   * Lets the process exit although the pool has idle connections. Otherwise they would never time out, because timers
   * of the library keep using them.
   */
  async unrefIdleConnections(): Promise<void> {
    const pool = await this.#pool();
    pool.options.allowExitOnIdle = true;
  }

  /**
   * A shared EntityManager outside of every transaction, for code that only runs statements and so needs no fork. It
   * must never load an entity, which would stay in its identity map. This is no getter, because `util.inspect` can show
   * the value of one.
   */
  statementManager(): EntityManager {
    this.#statementManager ??= this.fork();
    return this.#statementManager;
  }

  /** A new, empty EntityManager, outside of the request's context and of every transaction. */
  fork(): EntityManager {
    const fork = this.#orm.em.fork({ useContext: false, disableContextResolution: true });
    this.#forks.add(fork);
    return fork;
  }

  /**
   * An EntityManager for reads in the transaction of `em`: `em` itself if this class has forked it, else a new fork.
   * The library neither refreshes nor flushes entities that the app's EntityManager manages.
   */
  reader(em: EntityManager): EntityManager {
    return this.#forks.has(em) ? em : this.forkInTransactionOf(em);
  }

  /** A new, empty EntityManager in the transaction of `em`. */
  forkInTransactionOf(em: EntityManager): EntityManager {
    const fork = this.fork();
    const transaction = em.getTransactionContext();
    if (transaction) fork.setTransactionContext(transaction);
    return fork;
  }

  get #connection() {
    return this.#orm.em.getConnection();
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

/** A statement in the form that Kysely executes. */
function toStatement(sql: string, parameters: readonly unknown[]): Statement {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] } as const;
  return { sql, parameters, query, queryId: { queryId: sql } };
}
