import type { EntityManager } from '@mikro-orm/postgresql';
import type { Count } from '../limits/counters.js';
import { type EventCounters, throwIfOver } from '../limits/event-counters.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import { limitsWithoutAddress, type RateLimit } from '../settings/rate-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';

/**
 * The kind of a notice. Each kind has separate counters for a mailbox: strangers can cause `account-exists`, and
 * `email-changed` can contain the undo link, which other notices must not prevent.
 */
export type NoticeKind = 'account-exists' | 'email-changed' | 'notice';

/** How many mailed keys a client network may try. Keys cannot be guessed; this limits the load. */
const KEY_LIMIT: RateLimit = { count: 100, seconds: 900, scope: 'ip' };

/** With `isNetworkFirst`, the limit of a mailbox is this many times the limit of a single network. */
const NETWORKS_PER_MAILBOX = 4;

/** Limits mails for each mailbox and for each client network, over all servers (MAIL_RATE_LIMIT). */
export class MailLimiter {
  constructor(
    private readonly counters: EventCounters,
    private readonly settings: Settings,
    private readonly networks: ClientNetworks,
  ) {}

  /**
   * Counts a mail before it is sent. Call it whether or not the account exists.
   *
   * @param reason why it is sent, such as `password-reset`. Each reason has separate counters for a mailbox, so that
   * mails that a stranger requests do not use up the limit of mails that the owner needs
   * @param client the client that requested the mail. Undefined for a trusted caller: only the mailbox is counted
   * @param options `isNetworkFirst`: each network has the limit of the mailbox for itself, and the mailbox has four
   * times as much. For mails that strangers can request, and that the owner must be able to request as well
   * @throws too_many_requests
   */
  async countMail(
    reason: string,
    email: string,
    client?: SessionClient,
    { isNetworkFirst = false }: { readonly isNetworkFirst?: boolean } = {},
  ): Promise<void> {
    const network = client && this.networks.of(client.ip);
    for (const limit of this.#limitsOf(client, network)) {
      const mailbox = limit.scope.includes('account') && [reason, normalizeEmail(email)];
      let effective = limit;
      if (isNetworkFirst && limit.scope === 'account' && network) {
        // So that a few requests by a stranger do not block the owner's.
        throwIfOver(await this.#count('mail', [mailbox, network], limit), limit);
        effective = { ...limit, count: limit.count * NETWORKS_PER_MAILBOX };
      }
      throwIfOver(await this.#count('mail', [mailbox, limit.scope.includes('ip') && network], effective), effective);
    }
  }

  /** Counts a notice, in the transaction of `em`. False: the limit is reached, do not send it. */
  async admitsNotice(kind: NoticeKind, email: string, em: EntityManager): Promise<boolean> {
    let isAdmitted = true;
    for (const limit of this.#limits('account')) {
      const { count } = await this.#count('mail', [[kind, normalizeEmail(email)], false], limit, em);
      isAdmitted &&= count <= limit.count;
    }
    return isAdmitted;
  }

  /**
   * Counts an attempt with a mailed key, unless MAIL_RATE_LIMIT is off or the client's address is not known.
   *
   * @throws too_many_requests
   */
  async countKey(ip: string | undefined): Promise<void> {
    if (this.settings.mailRateLimit.length === 0) return;
    const network = this.networks.of(ip);
    if (network) throwIfOver(await this.#count('key', [network], KEY_LIMIT), KEY_LIMIT);
  }

  /** The limits of the client come first: a client that has reached them must not use up the limit of a mailbox. */
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
