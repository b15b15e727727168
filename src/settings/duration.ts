const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/**
 * The seconds of a duration such as `30s`, `15m`, `12h` or `14d`. Returns any other value unchanged; the validation
 * accepts only whole seconds.
 */
export function parseDuration(value: unknown): unknown {
  const [, count, unit] = typeof value === 'string' ? (/^(\d{1,9})([smhd])$/.exec(value) ?? []) : [];
  return count && unit ? Number(count) * SECONDS_PER_UNIT[unit as keyof typeof SECONDS_PER_UNIT] : value;
}
