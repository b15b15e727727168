import { setTimeout as delay, setImmediate as pollForEvents } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Logger } from '../observability/logger.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { Settings } from '../settings/settings.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import type { RemoteRevocations } from './remote-revocations.js';
import { REVOCATION_ENTITY } from './revocation.entity.js';
import { channelNameOf, RevocationChannel } from './revocation-channel.js';
import { RevocationList } from './revocation-list.js';

/**
 * Milliseconds between two questions to the server, and those within which it has to answer for the list to be
 * believed.
 */
const HEARTBEAT_MS = 450;

/** Milliseconds for which an answer is good, from its question on. */
const ANSWER_VALID_MS = 1000;

/** Beats between two pings. With the answers that a ping waits for, a deaf list is found within six seconds. */
const HEARTBEATS_PER_PING = 6;

/** Milliseconds before the first attempt to connect again, and at most. */
const RETRY_DELAY_MS = { first: 100, most: 2000 };

/** Rows that are read at once. */
const PAGE_ROWS = 10_000;

/** Milliseconds by which the clock of the server that ends a session may be behind. */
const MAX_CLOCK_SKEW_MS = 60_000;

/** The least session id. */
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/** Why the list is current, or is not: `deaf` is a connection on which notifications do not arrive. */
type State = 'starting' | 'current' | 'disconnected' | 'silent' | 'deaf';

/**
 * Keeps the list of revoked sessions up to date. It is current while the server answers within a second on the
 * connection on which it tells of revocations. After a new connection everything that may still matter is read once
 * more, after LISTEN: what commits before is read, what commits later is heard, and nothing lies between.
 */
export class RevocationListener {
  readonly #list: RevocationList;
  readonly #channelName: string;
  readonly #page: string;
  readonly #retentionMs: number;
  #state: State = 'starting';
  /** When the last question was asked that was answered. */
  #lastAnsweredAt = 0;
  #running?: Promise<void>;
  #isStopped = false;
  #channel?: RevocationChannel;
  /** When this process began to listen. What had ended before was never alive here. */
  #startedAt = 0;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly telemetry: Telemetry;
      readonly logger: Logger;
      readonly remoteRevocations: RemoteRevocations;
    },
  ) {
    const { orm, settings, clock } = kernel;
    const table = Table.named(orm, REVOCATION_ENTITY);
    const [at, session] = [table.column('revokedAt'), table.column('session')];
    this.#channelName = channelNameOf(table);
    this.#retentionMs = maxAccessTokenAgeMs(settings);
    this.#list = new RevocationList(this.#retentionMs, clock);
    this.#page = `
      select (extract(epoch from ${at}) * 1000)::float8 as "at", ${session}::text as "session" from ${table.name}
      where (${at}, ${session}) > ($1::timestamptz, $2::uuid) order by ${at}, ${session} limit ${PAGE_ROWS}`;
  }

  /**
   * Whether the list has every session whose end was committed more than a second ago. That the server has answered
   * since then counts, and not what was true before this process was perhaps suspended; hence the system's clock.
   */
  get isCurrent(): boolean {
    return this.#state === 'current' && Math.abs(Date.now() - this.#lastAnsweredAt) < ANSWER_VALID_MS;
  }

  /** How many revoked sessions are in memory. */
  get size(): number {
    return this.#list.size;
  }

  /** Whether a session is known to have been ended. False says something only while the list is current. */
  has(session: string): boolean {
    return this.#list.has(session);
  }

  /** Begins to listen, once. Resolves when the list is current, or could not be made so at once; it goes on trying. */
  start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    if (!this.#running) this.#startedAt = this.kernel.clock.now();
    this.#running ??= this.#run(first.resolve);
    return Promise.race([first.promise, this.#running]);
  }

  /** Ends the connection, for good. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#channel?.close();
  }

  async #run(onTried: () => void): Promise<void> {
    this.kernel.telemetry.gauge('revocation_list.size', 'Revoked sessions in memory.', () => this.size);
    this.kernel.telemetry.gauge('revocation_list.current', '1 while the list is current, else 0.', () =>
      Number(this.isCurrent),
    );
    let wait = RETRY_DELAY_MS.first;
    while (!this.#isStopped) {
      try {
        await this.kernel.database.unrefIdleConnections();
        await this.#listen(() => {
          wait = RETRY_DELAY_MS.first;
          onTried();
        });
      } catch (error) {
        this.#setState('disconnected', error);
      }
      onTried();
      this.#channel?.close();
      // Servers that lost the same connection come back one by one.
      await delay(wait * (0.5 + Math.random()), undefined, { ref: false });
      wait = Math.min(wait * 2, RETRY_DELAY_MS.most);
    }
  }

  /** Opens a connection, catches up, and watches over it until it is over. */
  async #listen(onCurrent: () => void): Promise<void> {
    const channel = await RevocationChannel.open(this.kernel.database, this.#channelName, {
      onRevoked: (session, origin) => {
        const isNew = !this.#list.has(session);
        this.#list.add(session, this.kernel.clock.now());
        if (isNew) this.kernel.remoteRevocations.notified(session, origin);
      },
      onClosed: (closed) => {
        if (this.#channel === closed) this.#setState('disconnected'); // else it never served, or has a successor
      },
    });
    this.#channel = channel;
    if (!(await channel.verifyDelivery())) return this.#setState('deaf');
    void this.kernel.remoteRevocations.missed(await this.#catchUp(channel));
    if (!(await this.#hasAnswered(channel))) return this.#setState('disconnected');
    this.#setState('current');
    onCurrent();
    channel.unref();
    await this.#watch(channel);
  }

  /** Reads what may have been missed. @returns the sessions that have ended since the start and were not known yet */
  async #catchUp(channel: RevocationChannel): Promise<string[]> {
    const missed: string[] = [];
    let after: [at: Date, session: string] = [new Date(this.kernel.clock.now() - this.#retentionMs), LOWEST_ID];
    for (;;) {
      const rows = await channel.query<{ at: number; session: string }>(this.#page, after);
      for (const { at, session } of rows) {
        if (at > this.#startedAt - MAX_CLOCK_SKEW_MS && !this.#list.has(session)) missed.push(session);
        this.#list.add(session, at);
      }
      const last = rows.at(-1);
      if (!last || rows.length < PAGE_ROWS) return missed;
      after = [new Date(last.at), last.session];
    }
  }

  async #watch(channel: RevocationChannel): Promise<void> {
    for (let heartbeats = 1; channel.isOpen && !this.#isStopped; heartbeats++) {
      await delay(HEARTBEAT_MS, undefined, { ref: false });
      this.#list.expire();
      if (heartbeats % HEARTBEATS_PER_PING === 0) channel.ping().catch(() => {}); // a pool that is busy proves nothing
      if (!(await this.#hasAnswered(channel))) return this.#setState('disconnected');
      if (channel.isDeaf) return this.#setState('deaf');
      this.#setState('current');
    }
    this.#setState('disconnected');
  }

  /** Whether the server answers. While it is late the list is not believed. */
  async #hasAnswered(channel: RevocationChannel): Promise<boolean> {
    const asked = Date.now();
    const answered = channel.heartbeat().then(
      () => true,
      () => false,
    );
    // After a blocked event loop the timer comes before an answer that has long arrived: read the socket first.
    const late = delay(HEARTBEAT_MS, 'late' as const, { ref: false }).then(pollForEvents<'late'>);
    const outcome = await Promise.race([answered, late]);
    if (outcome === 'late') this.#setState('silent');
    const hasAnswered = await answered;
    if (hasAnswered) this.#lastAnsweredAt = asked;
    return hasAnswered;
  }

  #setState(state: State, error?: unknown): void {
    const before = this.#state;
    this.#state = state;
    if (before === state || this.#isStopped) return;
    if (state === 'current') this.kernel.logger.info({ revoked: this.size }, 'the revocation list is current');
    else {
      const reason = error instanceof Error ? error.name : state;
      this.kernel.logger.warn({ state, reason }, 'the revocation list is not current');
    }
  }
}
