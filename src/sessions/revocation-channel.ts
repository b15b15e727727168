import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import type { Table } from '../database/table.js';
import { isDatabaseUnavailable } from '../database/unavailability.js';

/** First word of a notification that a process sends to itself. */
const PING = 'ping';

/** After this time without a response, a statement fails. */
const STATEMENT_TIMEOUT_MS = 5000;

/** A notification does not arrive if the server has answered this many statements since its commit. */
const ANSWERS_UNTIL_LOST = 3;

/** The payload of a revocation: the session, and the process that has ended it, if that process emits the event. */
const REVOCATION = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?: ([\da-f-]{36}))?$/;

/** The name of the PostgreSQL channel of a revocation table. Tables in different schemas have different channels. */
export function channelNameOf({ name }: Table): string {
  return `jwt_allauth_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** Callbacks of a channel. */
interface RevocationHandlers {
  /** Called for each ended session, with the process that has ended it if that process emits the event. */
  readonly onRevoked: (session: string, origin: string | undefined) => void;
  /** Called when the connection has ended, unless `close` has ended it. */
  readonly onClosed: () => void;
}

/**
 * A separate connection for the revocation list. It listens for revocations (LISTEN), and can read the table of
 * revocations. Without notifications it is still useful: some connection poolers deliver none.
 */
export class RevocationChannel {
  #isOpen = true;
  /** The notifications that this channel has sent to itself, and whether they have arrived. */
  readonly #pings = new Map<string, boolean>();

  private constructor(
    private readonly database: Database,
    private readonly name: string,
    private readonly connection: DedicatedConnection,
  ) {}

  /**
   * Connects and listens.
   *
   * @param url the database to connect to. Default: that of the pool
   * @throws service_unavailable, and what LISTEN throws if the database is unavailable
   */
  static async open(
    database: Database,
    name: string,
    { onRevoked, onClosed }: RevocationHandlers,
    url?: string,
  ): Promise<RevocationChannel> {
    const connection = await database.connect(STATEMENT_TIMEOUT_MS, url);
    const channel = new RevocationChannel(database, name, connection);
    connection.onEnd(() => {
      if (!channel.#isOpen) return;
      channel.#isOpen = false;
      onClosed();
    });
    connection.onNotification((payload) => {
      if (channel.#pings.has(payload)) channel.#pings.set(payload, true);
      const [, session, origin] = REVOCATION.exec(payload) ?? []; // any database role can send any payload
      if (session) onRevoked(session, origin);
    });
    await connection.query(`listen ${name}`).catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) return; // the server does not know LISTEN
      channel.close();
      throw error;
    });
    return channel;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Lets the process exit although this connection is open. */
  unref(): void {
    this.connection.unref();
  }

  /** Runs a statement on this connection. The statement has a timeout, unlike one on the app's pool. */
  query<Row>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return this.connection.query<Row>(sql, parameters);
  }

  /**
   * Sends a notification to this channel, through the app's pool. It does not arrive if this connection leads to
   * another database, or through a transaction pooler: such poolers accept LISTEN but deliver no notifications.
   *
   * @returns whether it arrives
   * @throws if the pool does not send it within five seconds, or this connection fails
   */
  async verifyDelivery(): Promise<boolean> {
    const ping = `${PING} ${randomUUID()}`; // other processes send theirs on the same PostgreSQL channel
    this.#pings.set(ping, false);
    try {
      await Promise.race([
        this.database.query('select pg_notify($1, $2)', [this.name, ping]),
        delay(STATEMENT_TIMEOUT_MS, undefined, { ref: false }).then(() =>
          Promise.reject(new Error('the pool is busy')),
        ),
      ]);
      for (let answers = 0; answers < ANSWERS_UNTIL_LOST && !this.#pings.get(ping); answers++)
        await this.query('select 1');
      return this.#pings.get(ping) === true;
    } finally {
      this.#pings.delete(ping);
    }
  }

  /** Closes the connection without waiting for the server, which may not respond. */
  close(): void {
    this.#isOpen = false;
    this.connection.destroy();
  }
}
