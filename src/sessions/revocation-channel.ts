import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import type { Table } from '../database/table.js';

/** First word of a notification that a process sends to itself. */
const PING = 'ping';

/** After this time without a response, a statement fails. */
const STATEMENT_TIMEOUT_MS = 5000;

/** A channel is deaf if the server has answered this many statements after a ping, and the ping has not arrived. */
const ANSWERS_UNTIL_DEAF = 3;

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
  /** Called when the connection has ended, for any reason. */
  readonly onClosed: (channel: RevocationChannel) => void;
}

/**
 * A separate connection that listens for revocations (LISTEN). It detects two failures: a server that does not respond
 * (`heartbeat`), and a connection that responds but delivers no notifications (`isDeaf`).
 */
export class RevocationChannel {
  #isOpen = true;
  /** Prefix of the pings of this process. Other processes send theirs on the same PostgreSQL channel. */
  readonly #ownPing = `${PING} ${randomUUID()} `;
  /** Number of the newest ping that was sent. */
  #pings = 0;
  #isPinging = false;
  /** Number of the newest ping that has arrived. */
  #newestReceived = 0;
  /** The oldest ping that was committed and has not arrived, and how often the server has answered since. */
  #missing?: { readonly ping: number; answers: number };

  private constructor(
    private readonly database: Database,
    private readonly name: string,
    private readonly connection: DedicatedConnection,
  ) {}

  /** Connects and listens. @throws service_unavailable, and what LISTEN throws */
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
      const [, session, origin] = REVOCATION.exec(payload) ?? []; // any database role can send any payload
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

  /** Lets the process exit although this connection is open. */
  unref(): void {
    this.connection.unref();
  }

  /** Runs a statement on this connection. The statement has a timeout, unlike one on the app's pool. */
  query<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    return this.connection.query<Row>(sql, parameters);
  }

  /** Sends a statement and waits for the answer. All earlier notifications have arrived by then. */
  async heartbeat(): Promise<void> {
    await this.connection.query('select 1');
    if (this.#missing) this.#missing.answers++;
  }

  /**
   * Sends a notification to this channel, through the app's pool. If it does not arrive, a transaction pooler is
   * probably between this connection and PostgreSQL: such poolers accept LISTEN but deliver no notifications. Does
   * nothing while another ping is being sent.
   *
   * @throws if the pool does not send it within five seconds
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

  /** Whether a ping has not arrived, although the server has answered several statements since. */
  get isDeaf(): boolean {
    return this.#missing !== undefined && this.#missing.answers >= ANSWERS_UNTIL_DEAF;
  }

  /** Sends a ping. @returns whether it arrives @throws if the pool does not send it, or this connection fails */
  async verifyDelivery(): Promise<boolean> {
    await this.ping();
    while (this.#missing && !this.isDeaf) await this.heartbeat();
    return !this.isDeaf;
  }

  /** Closes the connection without waiting for the server, which may not respond. */
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
