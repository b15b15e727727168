import type { EntityManager } from '@mikro-orm/postgresql';
import type { Count } from '../limits/counters.js';
import { type EventCounters, throwIfOver } from '../limits/event-counters.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';

/**
 * Why a mail is sent. Each counts by itself for a mailbox: what a stranger asks for in somebody's name must not use up
 * what the owner needs.
 */
export type MailReason = 'registration' | 'verification' | 'password-reset' | 'email-change' | 'invitation';

/**
 * Which notices count together for a mailbox. Strangers bring about `account-exists`, and `email-changed` has the way
 * back: neither must be used up by the others, nor use them up.
 */
export type NoticeKind = 'account-exists' | 'email-changed' | 'notice';

/** Keys that a client's address may try: nobody guesses one, but nobody needs to try many either. */
const KEY_LIMIT: RateLimit = { count: 100, seconds: 900, scope: 'ip' };

/** Networks whose sign-ups for one mailbox are let through up to the limit of the mailbox. */
const NETWORKS_PER_MAILBOX = 4;

/** Bounds how many mails are sent to a mailbox and at the wish of a client's address, over all servers. */
export class MailLimiter {
  constructor(
    private readonly counters: EventCounters,
    private readonly settings: Settings,
    private readonly networks: ClientNetworks,
  ) {}

  /**
   * Counts a mail that is about to be sent, whether or not there is an account. Without a client it is sent at the wish
   * of somebody who is trusted, and counts for the mailbox alone.
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
        bound = { ...limit, count: limit.count * NETWORKS_PER_MAILBOX };
      }
      throwIfOver(await this.#count('mail', [mailbox, limit.scope.includes('ip') && network], bound), bound);
    }
  }

  /**
   * Counts a notice that is about to be put into the outbox, in the transaction of `em`. False: there were too many.
   */
  async admitsNotice(kind: NoticeKind, email: string, em: EntityManager): Promise<boolean> {
    let isAdmitted = true;
    for (const limit of this.#limits('account')) {
      const { count } = await this.#count('mail', [[kind, normalizeEmail(email)], false], limit, em);
      isAdmitted &&= count <= limit.count;
    }
    return isAdmitted;
  }

  /**
   * Counts a try of a key out of a mail, unless MAIL_RATE_LIMIT is off or the client has no address.
   * @throws too_many_requests
   */
  async countKey(ip: string | undefined): Promise<void> {
    if (this.settings.mailRateLimit.length === 0) return;
    const network = this.networks.of(ip);
    if (network) throwIfOver(await this.#count('key', [network], KEY_LIMIT), KEY_LIMIT);
  }

  /** The client's address first: a client that is over its own limit must not use up the limit of a mailbox. */
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
    return this.counters.count([what, scope, seconds, parts], seconds, em);
  }
}
