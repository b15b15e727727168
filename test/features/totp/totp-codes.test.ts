import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createRecoveryCodes, hashOfRecoveryCode } from '../../../src/features/totp/recovery-codes.js';
import { createTotpSecret, stepOfCode, totpUri } from '../../../src/features/totp/totp-codes.js';
import { totpCode } from '../../../src/features/totp/totp-testing.js';

/** The secret of RFC 6238, appendix B, for SHA-1: `12345678901234567890`. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('the code of an authenticator app', () => {
  // RFC 6238, appendix B. Its codes have eight digits; six digits are the last six of them (RFC 4226 §5.3).
  test.each([
    [59, '94287082', 1],
    [1_111_111_109, '07081804', 37_037_036],
    [1_111_111_111, '14050471', 37_037_037],
    [1_234_567_890, '89005924', 41_152_263],
    [2_000_000_000, '69279037', 66_666_666],
    [20_000_000_000, '65353130', 666_666_666],
  ])('at %i s is that of RFC 6238: %s', (seconds, code, step) => {
    expect(stepOfCode(RFC_SECRET, code.slice(-6), seconds * 1000)).toBe(step);
    expect(totpCode(RFC_SECRET, seconds * 1000)).toBe(code.slice(-6));
    expect(totpCode(RFC_SECRET, new Date(seconds * 1000))).toBe(code.slice(-6));
  });

  test('is shown to tests of an app by jwt-allauth/totp/testing', async () => {
    const { exports } = JSON.parse(await readFile('package.json', 'utf8'));
    const file = exports['./totp/testing'].default.replace(/^\.\/dist\/(.*)\.js$/, '../../../$1.ts');
    expect({ ...(await import(file)) }).toEqual({ totpCode });
  });

  test('is accepted one step early and one step late, and no further', () => {
    const step = 41_152_263;
    const at = (offset: number) => totpCode(RFC_SECRET, (step + offset) * 30_000);
    for (const offset of [-1, 0, 1]) expect(stepOfCode(RFC_SECRET, at(offset), step * 30_000)).toBe(step + offset);
    for (const offset of [-2, 2]) expect(stepOfCode(RFC_SECRET, at(offset), step * 30_000)).toBeUndefined();
    expect(stepOfCode(RFC_SECRET, at(0), step * 30_000 + 59_999)).toBe(step);
    expect(stepOfCode(RFC_SECRET, at(0), step * 30_000 + 60_000)).toBeUndefined();
  });

  test('may have spaces, as apps show it, and nothing else', () => {
    const read = (code: string) => stepOfCode(RFC_SECRET, code, 59_000);
    for (const code of ['287082', '287 082', ' 287082\n', '28 70 82']) expect(read(code), code).toBe(1);
    const wrong = ['287083', '28708', '2870820', '94287082', '', '      ', '٢٨٧٠٨٢', '287-082', '287082x', '+87082'];
    for (const code of wrong) expect(read(code), code).toBeUndefined();
  });
});

describe('a secret', () => {
  test('has 160 random bits, in base32', () => {
    const secrets = new Set(Array.from({ length: 50 }, createTotpSecret));
    expect(secrets.size).toBe(50);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  });

  test('is in the URI with issuer, account and the parameters that every app supports', () => {
    const uri = totpUri(RFC_SECRET, { issuer: 'Ada & Söhne', account: 'ada+x@example.com' });
    expect(uri.slice(0, uri.indexOf('?'))).toBe('otpauth://totp/Ada%20%26%20S%C3%B6hne:ada%2Bx%40example.com');
    expect(Object.fromEntries(new URL(uri).searchParams)).toEqual({
      issuer: 'Ada & Söhne',
      secret: RFC_SECRET,
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
  });
});

describe('recovery codes', () => {
  test('are ten different ones, of 50 random bits each', () => {
    const codes = Array.from({ length: 20 }, () => createRecoveryCodes(RFC_SECRET).recoveryCodes);
    for (const ten of codes) expect(ten).toHaveLength(10);
    expect(new Set(codes.flat()).size).toBe(200);
    const characters = new Set(codes.flat().join('').replaceAll('-', ''));
    expect([...characters].sort().join('')).toBe('0123456789abcdefghjkmnpqrstvwxyz');
    for (const code of codes.flat()) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/);
  });

  test('are read in any case, with or without the dash, and with letters that look like digits', () => {
    const hash = hashOfRecoveryCode('01abc-defgh', RFC_SECRET);
    expect(hash).toMatch(/^[\w-]{43}$/);
    for (const code of ['01ABC-DEFGH', '01abcdefgh', ' 01abc defgh ', 'OIabc-defgh', 'olabc-defgh']) {
      expect(hashOfRecoveryCode(code, RFC_SECRET), code).toBe(hash);
    }
    for (const code of ['01abc-defg', '01abc-defghj', '01abc-defgu', '01abc_defgh', '', '01abc-defg\u{1d7d9}']) {
      expect(hashOfRecoveryCode(code, RFC_SECRET), code).not.toBe(hash);
    }
  });

  test('have hashes that cannot be computed without the secret of the user', () => {
    const others = [createTotpSecret(), createTotpSecret()].map((secret) => hashOfRecoveryCode('01abc-defgh', secret));
    expect(new Set([...others, hashOfRecoveryCode('01abc-defgh', RFC_SECRET)]).size).toBe(3);
  });
});
