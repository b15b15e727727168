import { parseDuration } from './duration.js';

/** What one counter is for: an account, a client address, or an account together with a client address. */
export type RateLimitScope = 'account' | 'ip' | 'account+ip';

/** At most `count` events (such as failed logins or mails) within `seconds`, for each counter of `scope`. */
export interface RateLimit {
  readonly count: number;
  readonly seconds: number;
  readonly scope: RateLimitScope;
}

const SCOPES: readonly RateLimitScope[] = ['account', 'ip', 'account+ip'];

/**
 * Parses a text such as `10/15m/account+ip,100/1h/account`, or `off`. Returns any other value unchanged; the validation
 * accepts only a list of limits.
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
 * The limits for a client whose address is unknown: those of the account. Without such limits, those of account and
 * address apply to the account alone.
 */
export function limitsWithoutAddress(limits: readonly RateLimit[]): RateLimit[] {
  const ofAccount = limits.filter(({ scope }) => scope === 'account');
  if (ofAccount.length > 0) return ofAccount;
  return limits.filter(({ scope }) => scope === 'account+ip').map((limit) => ({ ...limit, scope: 'account' }));
}

/** Whether a value is a list of limits, no two of them with the same scope and the same seconds. */
export function isListOfLimits(value: unknown): value is RateLimit[] {
  return Array.isArray(value) && value.every(isRateLimit) && areDistinct(value);
}

/** Whether no two limits have the same scope and the same seconds. */
function areDistinct(limits: readonly RateLimit[]): boolean {
  return new Set(limits.map(({ seconds, scope }) => `${seconds}/${scope}`)).size === limits.length;
}
