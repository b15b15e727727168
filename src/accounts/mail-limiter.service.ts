import { createHmac, type KeyObject } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ErrorCode, JwtAllauthError } from '../error.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { LoginLimit } from '../settings/login-limit.js';
import type { Settings } from '../settings/settings.js';
import { normalizeEmail } from '../users/email.js';
import { clientNetwork } from './client-address.js';
import { LOGIN_ATTEMPT_ENTITY } from './login-attempt.entity.js';

/** Keys that a client's address may try: nobody guesses one, but nobody needs to try many either. */
const KEY_TRIES: LoginLimit = { count: 100, seconds: 900, scope: 'ip' };

/** Bounds how many mails are sent to a mailbox and at the wish of a client's address, over all servers. */
export class MailLimiter {
  readonly #count: string;

  constructor(
    private readonly database: Database,
    orm: MikroORM,
    private readonly settings: Settings,
    private readonly clock: Clock,
    /** Hides whom the rows are about. */
    private readonly key: KeyObject,
  ) {
    this.#count = statement(Table.named(orm, LOGIN_ATTEMPT_ENTITY));
  }

  /**
   * Counts a mail that is about to be sent, whether or not there is an account. Without a client it is sent at the wish of
   * somebody who is trusted, and counts for the mailbox alone.
   *
   * @throws too_many_requests
   */
  async countMail(email: string, client?: SessionClient): Promise<void> {
    // The client's address first: whoever is over that limit must not use up the one of somebody's mailbox.
    for (const scope of client ? (['ip', 'account+ip', 'account'] as const) : (['account'] as const)) {
      const network = scope.includes('ip') && clientNetwork(client?.ip);
      const parts = [scope.includes('account') && normalizeEmail(email), network];
      for (const limit of this.settings.mailRateLimit.filter((each) => each.scope === scope)) {
        await this.#countOne('mail', parts, limit);
      }
    }
  }

  /** Counts a try of a key out of a mail. @throws too_many_requests */
  async countKey(ip: string | undefined): Promise<void> {
    if (this.settings.mailRateLimit.length > 0) await this.#countOne('key', [clientNetwork(ip)], KEY_TRIES);
  }

  async #countOne(what: 'mail' | 'key', parts: readonly unknown[], { count, seconds, scope }: LoginLimit) {
    const name = JSON.stringify([what, scope, seconds, parts]);
    const key = createHmac('sha256', this.key).update(name).digest('base64url');
    const now = this.clock.now();
    const parameters = [key, new Date(now + seconds * 1000), new Date(now)];
    const [row] = await this.database.query<{ count: number; wait: number }>(this.#count, parameters);
    if (!row || row.count <= count) return;
    const retryAfter = Math.max(1, Math.ceil(row.wait));
    throw new JwtAllauthError(ErrorCode.TooManyRequests, 429, 'There were too many requests; try again later.', {
      retryAfter,
    });
  }
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
