import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SettingsError, settingsFromEnv } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';

const BASE = { JWT_ALLAUTH_SECRET_KEY: 'k'.repeat(64), JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY };

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const flag = fc.boolean().map((value) => ({ text: String(value), value }));
const duration = fc
  .record({ count: fc.integer({ min: 1, max: 1000 }), unit: fc.constantFrom('s', 'm', 'h', 'd') })
  .map(({ count, unit }) => ({ text: `${count}${unit}`, value: count * (SECONDS[unit] ?? 0) }));
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const text = word.map((value) => ({ text: value, value }));
const attributes = fc
  .dictionary(
    word,
    fc.array(word, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('.')),
  )
  .map((value) => ({ text: JSON.stringify(value), value: { ...value } }));
const origins = fc
  .uniqueArray(word, { minLength: 1, maxLength: 3 })
  .map((hosts) => hosts.map((host) => `https://${host}.example`))
  .map((value) => ({ text: value.join(','), value }));
const limits = fc
  .uniqueArray(
    fc.record({ count: fc.integer({ min: 1, max: 999_999 }), scope: fc.constantFrom('ip', 'account', 'account+ip') }),
    { minLength: 1, selector: ({ scope }) => scope },
  )
  .map((parts) => ({
    text: parts.map(({ count, scope }) => `${count}/15m/${scope}`).join(', '),
    value: parts.map((part) => ({ ...part, seconds: 900 })),
  }));

/** Property of the settings to a valid value: the text of the variable, and the result. */
const VALID = fc.record(
  {
    refreshTokenAsCookie: flag,
    refreshTokenCookieName: text,
    refreshTokenCookieMaxAge: duration,
    refreshTokenCookiePath: word.map((name) => ({ text: `/${name}`, value: `/${name}` })),
    refreshTokenCookieDomain: word.map((name) => ({ text: `${name}.example`, value: `${name}.example` })),
    algorithm: fc.constantFrom('HS256', 'HS384', 'HS512').map((value) => ({ text: value, value })),
    issuer: text,
    audience: text,
    accessTokenLifetime: duration,
    refreshTokenLifetime: duration,
    sessionLifetime: duration,
    refreshReuseGrace: fc.integer({ min: 0, max: 120 }).map((value) => ({ text: `${value}s`, value })),
    userAttributes: attributes,
    logoutOnPasswordChange: flag,
    oldPasswordFieldEnabled: flag,
    trustedOrigins: origins,
    loginRateLimit: limits,
  },
  { requiredKeys: [] },
);

const variableOf = (property: string) => `JWT_ALLAUTH_${property.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

/** The settings of one variable, or the names of those that are refused. */
function outcome(variable: string, value: string): { settings?: object; refused?: string[] } {
  try {
    return { settings: { ...settingsFromEnv({ ...BASE, [variable]: value }) } };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { refused: error.faults.map(({ setting }) => setting) };
  }
}

describe('any settings', () => {
  test('every subset of valid variables has the intended values, and the rest has defaults', () => {
    fc.assert(
      fc.property(VALID, (chosen) => {
        const entries = Object.entries(chosen);
        const variables = Object.fromEntries(entries.map(([property, { text }]) => [variableOf(property), text]));
        const expected = Object.fromEntries(entries.map(([property, { value }]) => [property, value]));
        const settings = { ...settingsFromEnv({ ...BASE, ...variables }) };
        expect(settings).toStrictEqual({ ...settingsFromEnv(BASE), ...expected });
      }),
      { numRuns: 200 },
    );
  });

  test('a text that is neither true nor false is refused for a flag, and never interpreted', () => {
    const nearly = fc.mixedCase(fc.constantFrom('true', 'false', 'yes', 'no', 'on', 'off', 't', 'f'));
    const texts = fc.oneof(fc.string({ unit: 'binary' }), nearly, fc.integer().map(String));
    fc.assert(
      fc.property(fc.constantFrom('refreshTokenAsCookie', 'logoutOnPasswordChange'), texts, (property, value) => {
        const variable = variableOf(property);
        const { settings, refused } = outcome(variable, value);
        if (value === 'true' || value === 'false') expect(settings).toHaveProperty(property, value === 'true');
        else expect(refused).toEqual([variable]);
      }),
      { numRuns: 300 },
    );
  });

  test('a text that is not a count with a unit is refused for a duration, and never rounded or replaced by the default', () => {
    const nearly = fc
      .tuple(
        fc.constantFrom('', '-', '+', ' ', '0x'),
        fc.double(),
        fc.constantFrom('', 's', ' s', 'S', 'ms', 'w', 'm h'),
      )
      .map((parts) => parts.join(''));
    const texts = fc.oneof(fc.string({ unit: 'binary' }), nearly, fc.integer().map(String));
    fc.assert(
      fc.property(fc.constantFrom('accessTokenLifetime', 'sessionLifetime'), texts, (property, value) => {
        const variable = variableOf(property);
        const { settings, refused } = outcome(variable, value);
        const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(value) ?? [];
        const seconds = Number(count ?? 0) * (SECONDS[unit ?? ''] ?? 0);
        if (seconds > 0 && settings) expect(settings).toHaveProperty(property, seconds);
        else expect(refused).toEqual([variable]);
      }),
      { numRuns: 300 },
    );
  });
});
