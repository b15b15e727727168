import { setTimeout as delay, setImmediate as pollForEvents } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Logger } from '../observability/logger.js';
import type { Telemetry } from '../observability/telemetry.js';
import { namesOf, withNames } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import type { RemoteRevocations } from './remote-revocations.js';
import { REVOCATION_ENTITY } from './revocation.entity.js';
import { channelNameOf, RevocationChannel } from './revocation-channel.js';
import { RevocationList } from './revocation-list.js';
import { RevocationReader } from './revocation-reader.js';

/** Pause between two reads of the table, and the time within which the server must answer one. */
const READ_INTERVAL_MS = 450;

/** How long the list is current after the start of an answered read. */
const ANSWER_VALID_MS = 1000;

/** How many reads there are for each check that notifications still arrive. */
const READS_PER_CHECK = 6;

/**
 * Notifications count as arriving if for this time no test notification was lost. Some transaction poolers deliver a
 * part of them by chance.
 */
const RELIABLE_AFTER_MS = 5 * 60_000;

/** Delay before the first attempt to reconnect, and maximum delay. Each is multiplied by a random factor near 1. */
const RETRY_DELAY_MS = { first: 100, most: 2000 };

/** Tolerated difference to the clock of the server that ends a session. */
const MAX_CLOCK_SKEW_MS = 60_000;

/** Logged if only reads find ended sessions. */
const WITHOUT_NOTIFICATIONS =
  'the revocation list gets no notifications, so it learns of ended sessions by its queries, up to a second later. ' +
  'Probably a connection pooler is between the app and PostgreSQL. ' +
  'Remedy: set {listenUrl} to the URL of a direct connection';

/** Logged if LISTEN_URL does not lead to the database of the pool, or not past the pooler. */
const WRONG_CONNECTION =
  '{listenUrl} gets no notifications from the database of the app, so the revocation list does not use it. ' +
  'It must be the URL of a direct connection to the same database';

/**
 * The state of the list. It can be used if it is `current`. `silent`: the server answers too slowly. `deaf`: LISTEN_URL
 * leads to another database, or gets no notifications.
 */
type State = 'starting' | 'current' | 'disconnected' | 'silent' | 'deaf';

/**
 * Keeps the list of revoked sessions up to date. It reads the table of revocations several times a second, and the list
 * is current while the server answers these reads in time (`READ_INTERVAL_MS`). Notifications of PostgreSQL only make
 * it faster, so it does not matter if a pooler or another node of the database does not pass them on.
 */
export class RevocationListener {
  readonly #list: RevocationList;
  readonly #channelName: string;
  readonly #reader: RevocationReader;
  readonly #retentionMs: number;
  #state: State = 'starting';
  /** When the last answered read was sent, by the system's clock. */
  #lastReadAt = 0;
  /** The same by the app's clock, for any read. */
  #lastSentAt = 0;
  /** Whether notifications arrive, as the log says. */
  #isNotified = true;
  /** When a test notification was lost, by the app's clock. */
  #lostAt = -Infinity;
  #running?: Promise<void>;
  #isStopped = false;
  #channel?: RevocationChannel;
  /** Events are emitted for sessions that ended later. After the first read, for every session that was missed. */
  #eventsSince = 0;

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
    this.#retentionMs = maxAccessTokenAgeMs(settings);
    this.#channelName = channelNameOf(table);
    this.#list = new RevocationList(this.#retentionMs, clock);
    this.#reader = new RevocationReader(table, this.#retentionMs, clock);
  }

  /**
   * Whether the list certainly contains every session whose end was committed more than a second ago. Uses the system's
   * clock and the time of the last read, because the process may have been suspended meanwhile.
   */
  get isCurrent(): boolean {
    return this.#state === 'current' && this.#isAnswerValid;
  }

  get #isAnswerValid(): boolean {
    return Math.abs(Date.now() - this.#lastReadAt) < ANSWER_VALID_MS;
  }

  /** The number of revoked sessions in memory. */
  get size(): number {
    return this.#list.size;
  }

  /** Whether a session is in the list. False is reliable only while the list is current. */
  has(session: string): boolean {
    return this.#list.has(session);
  }

  /** Starts listening. Resolves when the list is current or the first attempt has failed; further attempts follow. */
  start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    if (!this.#running) this.#eventsSince = this.kernel.clock.now() - MAX_CLOCK_SKEW_MS;
    this.#running ??= this.#run(first.resolve);
    return Promise.race([first.promise, this.#running]);
  }

  /** Closes the connection and does not reconnect. */
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
      // A random delay, so that servers that lost their connections together do not reconnect at the same moment.
      await delay(wait * (0.5 + Math.random()), undefined, { ref: false });
      wait = Math.min(wait * 2, RETRY_DELAY_MS.most);
    }
  }

  /** Opens a connection, reads the table, and repeats this until the connection ends. */
  async #listen(onCurrent: () => void): Promise<void> {
    const { database, settings, clock, remoteRevocations } = this.kernel;
    const onRevoked = (session: string, origin: string | undefined) => {
      if (this.#list.has(session)) return;
      this.#list.add(session, clock.now());
      remoteRevocations.emitNotified(session, origin);
    };
    const onClosed = () => this.#setState('disconnected');
    const handlers = { onRevoked, onClosed };
    const channel = await RevocationChannel.open(database, this.#channelName, handlers, settings.listenUrl);
    this.#channel = channel;
    const verification = channel.verifyDelivery();
    if (settings.listenUrl === undefined)
      verification.then((isNotified) => this.#setNotified(isNotified)).catch(() => {});
    else if (!(await verification)) return this.#setState('deaf');
    this.#reader.restart();
    await this.#read(channel);
    this.#eventsSince = 0;
    if (!(await this.#readInTime(channel))) return this.#setState('disconnected');
    this.#setState('current');
    onCurrent();
    channel.unref();
    await this.#watch(channel);
  }

  async #watch(channel: RevocationChannel): Promise<void> {
    for (let reads = 1; channel.isOpen && !this.#isStopped; reads++) {
      await delay(READ_INTERVAL_MS, undefined, { ref: false });
      this.#list.expire();
      if (reads % READS_PER_CHECK === 0) this.#checkDelivery(channel);
      if (!(await this.#readInTime(channel))) return this.#setState('disconnected');
      if (this.#isAnswerValid) this.#setState('current');
    }
    this.#setState('disconnected');
  }

  /**
   * Closes a channel that gets no notifications any more: after a failover, the pool may lead to another server than
   * this connection, which still answers. If the pool is busy, this finds nothing. A channel that is not reliable stays
   * open: a transaction pooler would lose the notifications of the next one as well.
   */
  #checkDelivery(channel: RevocationChannel): void {
    const check = channel.verifyDelivery().then((isNotified) => {
      const canMend = this.#isReliable || this.kernel.settings.listenUrl !== undefined;
      if (isNotified || !canMend) return this.#setNotified(isNotified);
      this.#lostAt = this.kernel.clock.now();
      channel.close();
    });
    check.catch(() => {});
  }

  get #isReliable(): boolean {
    return this.kernel.clock.now() - this.#lostAt >= RELIABLE_AFTER_MS;
  }

  /** Reads what is new. Returns whether the server answers; if the answer is late, the state is `silent` meanwhile. */
  async #readInTime(channel: RevocationChannel): Promise<boolean> {
    const answer = this.#read(channel).then(
      () => true,
      () => false,
    );
    // After the event loop was blocked, timers fire before the socket is read. `pollForEvents` reads the socket first.
    const timeout = delay(READ_INTERVAL_MS, 'late' as const, { ref: false }).then(pollForEvents<'late'>);
    if ((await Promise.race([answer, timeout])) === 'late') this.#setState('silent');
    return answer;
  }

  /** Adds to the list what was committed before this call. */
  async #read(channel: RevocationChannel): Promise<void> {
    const sentAt = Date.now();
    const now = this.kernel.clock.now();
    if (now < this.#lastSentAt) this.#reader.restart(); // the list has dropped what had expired by the clock before
    this.#lastSentAt = now;
    const missed: string[] = [];
    for await (const page of this.#reader.read(channel)) {
      for (const { at, session } of page) {
        if (at <= now - this.#retentionMs || this.#list.has(session)) continue;
        this.#list.add(session, at);
        if (at > this.#eventsSince) missed.push(session);
      }
    }
    this.#lastReadAt = sentAt;
    void this.kernel.remoteRevocations.emitMissed(missed);
  }

  /** Logs whether notifications arrive, if that has changed. Some that arrive are no change. */
  #setNotified(isNotified: boolean): void {
    if (!isNotified) this.#lostAt = this.kernel.clock.now();
    else if (!this.#isReliable) return;
    if (isNotified === this.#isNotified || this.#isStopped) return;
    this.#isNotified = isNotified;
    const { logger } = this.kernel;
    if (isNotified) logger.info({}, 'the revocation list gets notifications');
    else logger.warn({}, this.#text(WITHOUT_NOTIFICATIONS));
  }

  #setState(state: State, error?: unknown): void {
    const before = this.#state;
    this.#state = state;
    if (before === state || this.#isStopped) return;
    if (state === 'current') this.kernel.logger.info({ revoked: this.size }, 'the revocation list is current');
    else {
      const reason = error instanceof Error ? error.name : state === 'deaf' ? this.#text(WRONG_CONNECTION) : state;
      this.kernel.logger.warn({ state, reason }, 'the revocation list is not current');
    }
  }

  #text(message: string): string {
    return withNames(message, namesOf(this.kernel.settings));
  }
}
