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

/** Interval between heartbeats, and the time within which the server must answer one for the list to be current. */
const HEARTBEAT_MS = 450;

/** How long the list is current after the start of an answered heartbeat. */
const ANSWER_VALID_MS = 1000;

/** A ping is sent with every sixth heartbeat. So a deaf connection is detected within six seconds. */
const HEARTBEATS_PER_PING = 6;

/** Delay before the first attempt to reconnect, and maximum delay. Each is multiplied by a random factor near 1. */
const RETRY_DELAY_MS = { first: 100, most: 2000 };

/** How many rows are read with one query. */
const PAGE_ROWS = 10_000;

/** Tolerated difference to the clock of the server that ends a session. */
const MAX_CLOCK_SKEW_MS = 60_000;

/** The lowest session id, to start reading from. */
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * The state of the list. It can be used if it is `current`. `silent`: the server answers too slowly. `deaf`:
 * notifications do not arrive on the connection.
 */
type State = 'starting' | 'current' | 'disconnected' | 'silent' | 'deaf';

/**
 * Keeps the list of revoked sessions up to date, by notifications of PostgreSQL. The list is current while the server
 * answers heartbeats on the listening connection in time (`HEARTBEAT_MS`).
 *
 * After each connect it first sends LISTEN and then reads the table. So it misses nothing: revocations that were
 * committed before are in the table, and later ones are notified.
 */
export class RevocationListener {
  readonly #list: RevocationList;
  readonly #channelName: string;
  readonly #page: string;
  readonly #retentionMs: number;
  #state: State = 'starting';
  /** When the last answered heartbeat was sent. */
  #lastHeartbeatAt = 0;
  #running?: Promise<void>;
  #isStopped = false;
  #channel?: RevocationChannel;
  /** When this process began to listen. It emits no events for sessions that ended over `MAX_CLOCK_SKEW_MS` earlier. */
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
   * Whether the list certainly contains every session whose end was committed more than a second ago. Uses the system's
   * clock and the time of the last heartbeat, because the process may have been suspended meanwhile.
   */
  get isCurrent(): boolean {
    return this.#state === 'current' && Math.abs(Date.now() - this.#lastHeartbeatAt) < ANSWER_VALID_MS;
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
    if (!this.#running) this.#startedAt = this.kernel.clock.now();
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

  /** Opens a connection, reads the missed revocations, and checks the connection until it ends. */
  async #listen(onCurrent: () => void): Promise<void> {
    const channel = await RevocationChannel.open(this.kernel.database, this.#channelName, {
      onRevoked: (session, origin) => {
        const isNew = !this.#list.has(session);
        this.#list.add(session, this.kernel.clock.now());
        if (isNew) this.kernel.remoteRevocations.emitNotified(session, origin);
      },
      onClosed: (closed) => {
        if (this.#channel === closed) this.#setState('disconnected'); // an older channel does not matter
      },
    });
    this.#channel = channel;
    if (!(await channel.verifyDelivery())) return this.#setState('deaf');
    void this.kernel.remoteRevocations.emitMissed(await this.#catchUp(channel));
    if (!(await this.#sendHeartbeat(channel))) return this.#setState('disconnected');
    this.#setState('current');
    onCurrent();
    channel.unref();
    await this.#watch(channel);
  }

  /** Reads the table. @returns the sessions that have ended since the start and were not in the list */
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
      if (heartbeats % HEARTBEATS_PER_PING === 0) channel.ping().catch(() => {}); // fails if the pool is busy
      if (!(await this.#sendHeartbeat(channel))) return this.#setState('disconnected');
      if (channel.isDeaf) return this.#setState('deaf');
      this.#setState('current');
    }
    this.#setState('disconnected');
  }

  /**
   * Sends a heartbeat. Returns whether the server answers it; if the answer is late, the state is `silent` meanwhile.
   */
  async #sendHeartbeat(channel: RevocationChannel): Promise<boolean> {
    const sentAt = Date.now();
    const answer = channel.heartbeat().then(
      () => true,
      () => false,
    );
    // After the event loop was blocked, timers fire before the socket is read. `pollForEvents` reads the socket first.
    const timeout = delay(HEARTBEAT_MS, 'late' as const, { ref: false }).then(pollForEvents<'late'>);
    const outcome = await Promise.race([answer, timeout]);
    if (outcome === 'late') this.#setState('silent');
    const hasAnswered = await answer;
    if (hasAnswered) this.#lastHeartbeatAt = sentAt;
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
