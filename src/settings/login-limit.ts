import { parseDuration } from './duration.js';

/** Whose failures are counted together: one account, one client address, or one account from one address. */
export type LoginLimitScope = 'account' | 'ip' | 'account+ip';

/** At most `count` failed logins within `seconds` for each value of `scope`. */
export interface LoginLimit {
  readonly count: number;
  readonly seconds: number;
  readonly scope: LoginLimitScope;
}

const SCOPES: readonly LoginLimitScope[] = ['account', 'ip', 'account+ip'];

/** Reads `10/15m/account+ip,100/1h/account`, or `off`. Anything else comes back as it is, for the validation to refuse. */
export function parseLoginLimits(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.trim() === 'off') return [];
  const limits = value.split(',').map((part) => {
    const [, count, window, scope] = /^(\d{1,6})\/(\d{1,9}[smhd])\/(account\+ip|account|ip)$/.exec(part.trim()) ?? [];
    return { count: Number(count), seconds: Number(parseDuration(window)), scope };
  });
  return limits.every(isLoginLimit) ? limits : value;
}

export function isLoginLimit(value: unknown): value is LoginLimit {
  const { count, seconds, scope } = (value ?? {}) as Partial<LoginLimit>;
  const isPositive = (n: unknown) => Number.isSafeInteger(n) && (n as number) > 0 && (n as number) <= 2 ** 31 - 1;
  return isPositive(count) && isPositive(seconds) && SCOPES.includes(scope as LoginLimitScope);
}

/** Whether no two limits count the same thing over the same time. */
export function areDistinct(limits: readonly LoginLimit[]): boolean {
  return new Set(limits.map(({ seconds, scope }) => `${seconds}/${scope}`)).size === limits.length;
}
