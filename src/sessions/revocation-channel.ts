import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import type { Table } from '../database/table.js';

/** Marks a notification that we send to ourselves. */
const PING = 'ping ';

/** Milliseconds for which a silent connection is kept. */
const SILENCE = 5000;

/** Answers of the server that may come before it has passed a notification on. */
const PATIENCE = 3;

/** The channel on which the ended sessions of a table are told: one for each, so that two schemas of a database do not mix. */
export function channelNameOf({ name }: Table): string {
  return `jwt_allauth_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** What a channel tells its owner. */
interface RevocationHandlers {
  /** The session that was ended. */
  readonly onRevoked: (session: string) => void;
  /** The connection is over, whoever ended it. */
  readonly onClosed: (channel: RevocationChannel) => void;
}

/** A connection of its own on which PostgreSQL tells which sessions are ended, from the moment in which it was opened. */
export class RevocationChannel {
  #isOpen = true;
  /** Other servers ping on the same channel. */
  readonly #own = `${PING}${randomUUID()} `;
  #pings = 0;
  #isPinging = false;
  #sent = '';
  #heard = '';
  #answersSincePing = 0;

  private constructor(
    private readonly database: Database,
    private readonly name: string,
    private readonly connection: DedicatedConnection,
  ) {}

  static async open(
    database: Database,
    name: string,
    { onRevoked, onClosed }: RevocationHandlers,
  ): Promise<RevocationChannel> {
    const connection = await database.connect(SILENCE);
    const channel = new RevocationChannel(database, name, connection);
    connection.onEnd(() => {
      channel.#isOpen = false;
      onClosed(channel);
    });
    connection.onNotification((payload) => {
      if (payload.startsWith(channel.#own)) channel.#heard = payload;
      else if (!payload.startsWith(PING)) onRevoked(payload);
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

  /** Rows of a statement, asked here and not on the app's pool, where a connection that went silent may never answer. */
  query<Row>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
    return this.connection.query<Row>(sql, parameters);
  }

  /** Resolves when the server has answered: whatever was notified before has been heard by then. */
  async beat(): Promise<void> {
    await this.connection.query('select 1');
    this.#answersSincePing++;
  }

  /**
   * Notifies this channel through the app's pool. A pooler between the two that gives connections to others after each
   * transaction takes LISTEN without complaint, and nothing ever comes. While one ping is on its way there is no other.
   */
  async ping(): Promise<void> {
    if (this.#isPinging) return;
    this.#isPinging = true;
    const ping = this.#own + this.#pings++;
    try {
      await this.database.query('select pg_notify($1, $2)', [this.name, ping]);
    } finally {
      this.#isPinging = false;
    }
    this.#sent = ping;
    this.#answersSincePing = 0;
  }

  /** Whether the last ping has not arrived though the server has answered often enough since. */
  get isDeaf(): boolean {
    return this.#heard !== this.#sent && this.#answersSincePing >= PATIENCE;
  }

  /** Whether a ping arrives. @throws when the app's pool does not even send it */
  async isHearing(): Promise<boolean> {
    await Promise.race([
      this.ping(),
      delay(SILENCE, undefined, { ref: false }).then(() => Promise.reject(new Error('no connection of the pool'))),
    ]);
    while (this.#heard !== this.#sent && !this.isDeaf) await this.beat();
    return !this.isDeaf;
  }

  /** Gives the connection up without waiting for a server that may be silent. */
  close(): void {
    this.#isOpen = false;
    this.connection.destroy();
  }
}
