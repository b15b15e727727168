import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import type { Table } from '../database/table.js';

/** First word of a notification that a server sends to itself. */
const PING = 'ping';

/** Milliseconds after which a statement without an answer fails. */
const STATEMENT_TIMEOUT_MS = 5000;

/** How often the server may answer after a ping was committed before its notification must have arrived. */
const ANSWERS_UNTIL_DEAF = 3;

/** An ended session, and the process that has ended it, where that emits the event itself. */
const REVOCATION = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?: ([\da-f-]{36}))?$/;

/** The PostgreSQL channel for the ended sessions of a table. Each table has its own, so that two schemas do not mix. */
export function channelNameOf({ name }: Table): string {
  return `jwt_allauth_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** Callbacks of a channel. */
interface RevocationHandlers {
  /** Gets the id of each session that has ended, and the process that has ended it, where that emits the event. */
  readonly onRevoked: (session: string, origin: string | undefined) => void;
  /** Runs when the connection has ended, for whatever reason. */
  readonly onClosed: (channel: RevocationChannel) => void;
}

/** A connection of its own that listens for ended sessions from the moment it is open. */
export class RevocationChannel {
  #isOpen = true;
  /** Start of the pings of this channel. Other servers send theirs on the same PostgreSQL channel. */
  readonly #ownPing = `${PING} ${randomUUID()} `;
  /** Number of the newest ping. */
  #pings = 0;
  #isPinging = false;
  /** Number of the newest ping that has arrived. */
  #newestReceived = 0;
  /** A ping that the server has committed and that has not arrived, and how often the server has answered since. */
  #missing?: { readonly ping: number; answers: number };

  private constructor(
    private readonly database: Database,
    private readonly name: string,
    private readonly connection: DedicatedConnection,
  ) {}

  /** Connects and listens. @throws service_unavailable */
  static async open(
    database: Database,
    name: string,
    { onRevoked, onClosed }: RevocationHandlers,
  ): Promise<RevocationChannel> {
    const connection = await database.connect(STATEMENT_TIMEOUT_MS);
    const channel = new RevocationChannel(database, name, connection);
    connection.onEnd(() => {
      channel.#isOpen = false;
      onClosed(channel);
    });
    connection.onNotification((payload) => {
      if (payload.startsWith(channel.#ownPing)) channel.#received(Number(payload.slice(channel.#ownPing.length)));
      const [, session, origin] = REVOCATION.exec(payload) ?? []; // any role of the database may send anything here
      if (session) onRevoked(session, origin);
    });
    try {
      await connection.query(`listen ${name}`);
    } catch (error) {
      channel.close();
      throw error;
    }
    return channel;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** From now on the connection does not keep the process alive. */
  unref(): void {
    this.connection.unref();
  }

  /** Runs a statement on this connection, because one of the app's pool may be silent for ever. */
  query<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    return this.connection.query<Row>(sql, parameters);
  }

  /** Resolves when the server has answered. All that was notified before has arrived by then. */
  async heartbeat(): Promise<void> {
    await this.connection.query('select 1');
    if (this.#missing) this.#missing.answers++;
  }

  /**
   * Sends a notification to this channel through the app's pool. It finds a transaction pooler between the two, which
   * accepts LISTEN but delivers nothing. Does nothing while another ping is being sent.
   *
   * @throws when the pool does not send it within five seconds
   */
  async ping(): Promise<void> {
    if (this.#isPinging) return;
    this.#isPinging = true;
    const ping = ++this.#pings;
    try {
      await Promise.race([
        this.database.query('select pg_notify($1, $2)', [this.name, this.#ownPing + ping]),
        delay(STATEMENT_TIMEOUT_MS, undefined, { ref: false }).then(() =>
          Promise.reject(new Error('the pool is busy')),
        ),
      ]);
    } finally {
      this.#isPinging = false;
    }
    // The notification often arrives before the answer to the statement that sent it.
    if (this.#newestReceived < ping) this.#missing ??= { ping, answers: 0 };
  }

  /** Whether a ping has not arrived although the server has answered often enough since. */
  get isDeaf(): boolean {
    return this.#missing !== undefined && this.#missing.answers >= ANSWERS_UNTIL_DEAF;
  }

  /** Sends a ping and tells whether it arrives. @throws when the pool does not send it */
  async verifyDelivery(): Promise<boolean> {
    await this.ping();
    while (this.#missing && !this.isDeaf) await this.heartbeat();
    return !this.isDeaf;
  }

  /** Ends the connection without waiting for a server that may be silent. */
  close(): void {
    this.#isOpen = false;
    this.connection.destroy();
  }

  #received(ping: number): void {
    if (!(ping <= this.#pings)) return; // not sent by this channel
    this.#newestReceived = Math.max(this.#newestReceived, ping);
    if (this.#missing && this.#missing.ping <= ping) this.#missing = undefined;
  }
}
