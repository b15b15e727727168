import { parseDuration } from './duration.js';

/** What is counted together: what concerns one account, one client address, or one account from one address. */
export type RateLimitScope = 'account' | 'ip' | 'account+ip';

/** At most `count` events (failed logins, mails) within `seconds` for each value of `scope`. */
export interface RateLimit {
  readonly count: number;
  readonly seconds: number;
  readonly scope: RateLimitScope;
}

const SCOPES: readonly RateLimitScope[] = ['account', 'ip', 'account+ip'];

/**
 * Reads `10/15m/account+ip,100/1h/account`, or `off`. Anything else comes back as it is, for the validation to refuse.
 */
export function parseRateLimits(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.trim() === 'off') return [];
  const limits = value.split(',').map((part) => {
    const [, count, window, scope] = /^(\d{1,6})\/(\d{1,9}[smhd])\/(account\+ip|account|ip)$/.exec(part.trim()) ?? [];
    return { count: Number(count), seconds: Number(parseDuration(window)), scope };
  });
  return limits.every(isRateLimit) ? limits : value;
}

export function isRateLimit(value: unknown): value is RateLimit {
  const { count, seconds, scope } = (value ?? {}) as Partial<RateLimit>;
  const isPositive = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0 && (n as number) <= 2 ** 31 - 1;
  return isPositive(count) && isPositive(seconds) && SCOPES.includes(scope as RateLimitScope);
}

/**
 * The limits that hold for a client without an address: those of the account or, where there are none, those of the
 * pair, for the account alone.
 */
export function limitsWithoutAddress(limits: readonly RateLimit[]): RateLimit[] {
  const ofAccount = limits.filter(({ scope }) => scope === 'account');
  if (ofAccount.length > 0) return ofAccount;
  return limits.filter(({ scope }) => scope === 'account+ip').map((limit) => ({ ...limit, scope: 'account' }));
}

/** Whether a value is a list of limits of which no two count the same thing over the same time. */
export function isListOfLimits(value: unknown): value is RateLimit[] {
  return Array.isArray(value) && value.every(isRateLimit) && areDistinct(value);
}

/** Whether no two limits count the same thing over the same time. */
function areDistinct(limits: readonly RateLimit[]): boolean {
  return new Set(limits.map(({ seconds, scope }) => `${seconds}/${scope}`)).size === limits.length;
}
