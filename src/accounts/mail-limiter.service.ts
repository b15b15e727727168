import { createHmac, type KeyObject } from 'node:crypto';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import { LOGIN_ATTEMPT_ENTITY } from '../limits/login-attempt.entity.js';
import type { SessionClient } from '../sessions/client-device.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';
import type { ClientNetworks } from './client-networks.js';

/**
 * Why a mail is sent. Each counts by itself for a mailbox: what a stranger asks for in somebody's name must not use up what
 * the owner needs.
 */
export type MailReason = 'registration' | 'verification' | 'password-reset' | 'email-change' | 'invitation' | 'notice';

/** Keys that a client's address may try: nobody guesses one, but nobody needs to try many either. */
const KEY_TRIES: RateLimit = { count: 100, seconds: 900, scope: 'ip' };

/** Networks whose sign-ups for one mailbox are let through up to the limit of the mailbox. */
const NETWORKS = 4;

/** Bounds how many mails are sent to a mailbox and at the wish of a client's address, over all servers. */
export class MailLimiter {
  readonly #sql: string;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly settings: Settings,
    private readonly clock: Clock,
    /** Hides whom the rows are about. */
    private readonly key: KeyObject,
    private readonly networks: ClientNetworks,
  ) {
    this.#sql = statement(Table.named(orm, LOGIN_ATTEMPT_ENTITY));
  }

  /**
   * Counts a mail that is about to be sent, whether or not there is an account. Without a client it is sent at the wish of
   * somebody who is trusted, and counts for the mailbox alone.
   *
   * @throws too_many_requests
   */
  async countMail(reason: MailReason, email: string, client?: SessionClient): Promise<void> {
    const network = client && this.networks.of(client.ip);
    for (const limit of this.#limitsOf(client, network)) {
      const mailbox = limit.scope.includes('account') && [reason, normalizeEmail(email)];
      let bound = limit;
      if (reason === 'registration' && limit.scope === 'account' && network) {
        // Each network by itself first: a few tries of a stranger must not stop the sign-up of the mailbox's owner.
        throwIfOver(await this.#count('mail', [mailbox, network], limit), limit);
        bound = { ...limit, count: limit.count * NETWORKS };
      }
      throwIfOver(await this.#count('mail', [mailbox, limit.scope.includes('ip') && network], bound), bound);
    }
  }

  /** Counts a notice that is about to be put into the outbox, in the transaction of `em`. False: there were too many. */
  async admitsNotice(email: string, em: EntityManager): Promise<boolean> {
    let isAdmitted = true;
    for (const limit of this.#limits('account')) {
      const { count } = await this.#count('mail', [['notice', normalizeEmail(email)], false], limit, em);
      isAdmitted &&= count <= limit.count;
    }
    return isAdmitted;
  }

  /** Counts a try of a key out of a mail, unless MAIL_RATE_LIMIT is off or the client has no address. @throws too_many_requests */
  async countKey(ip: string | undefined): Promise<void> {
    if (this.settings.mailRateLimit.length === 0) return;
    const network = this.networks.of(ip);
    if (network) throwIfOver(await this.#count('key', [network], KEY_TRIES), KEY_TRIES);
  }

  /** The client's address first: whoever is over that limit must not use up the one of somebody's mailbox. */
  #limitsOf(client: SessionClient | undefined, network: string | undefined): RateLimit[] {
    if (!client) return this.#limits('account');
    if (network === undefined) return limitsWithoutAddress(this.settings.mailRateLimit);
    return (['ip', 'account+ip', 'account'] as const).flatMap((scope) => this.#limits(scope));
  }

  #limits(scope: RateLimit['scope']): RateLimit[] {
    return this.settings.mailRateLimit.filter((each) => each.scope === scope);
  }

  async #count(
    what: 'mail' | 'key',
    parts: readonly unknown[],
    { seconds, scope }: RateLimit,
    em?: EntityManager,
  ): Promise<Count> {
    const name = JSON.stringify([what, scope, seconds, parts]);
    const key = createHmac('sha256', this.key).update(name).digest('base64url');
    const now = this.clock.now();
    const parameters = [key, new Date(now + seconds * 1000), new Date(now)];
    const [row] = await this.database.query<Count>(this.#sql, parameters, em);
    return row ?? { count: 0, wait: 0 };
  }
}

/** How often something was counted in its time, and for how many seconds more that lasts. */
interface Count {
  readonly count: number;
  readonly wait: number;
}

function throwIfOver({ count, wait }: Count, limit: RateLimit): void {
  if (count <= limit.count) return;
  const retryAfter = Math.max(1, Math.ceil(wait));
  throw new JwtAllauthError(ErrorCode.TooManyRequests, 429, 'There were too many requests; try again later.', {
    retryAfter,
  });
}

function statement(attempts: Table): string {
  const [key, failures, resetsAt] = ['key', 'failures', 'resetsAt'].map((name) => attempts.column(name));
  return `
    insert into ${attempts.name} as a (${key}, ${failures}, ${resetsAt}) values ($1, 1, $2)
    on conflict (${key}) do update set
      ${failures} = case when a.${resetsAt} <= $3 then 1 else least(a.${failures}, 1000000) + 1 end,
      ${resetsAt} = case when a.${resetsAt} <= $3 then excluded.${resetsAt} else a.${resetsAt} end
    returning a.${failures} as count, extract(epoch from a.${resetsAt} - $3)::float8 as wait`;
}
