import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';
import type { UnsealError } from '../../src/secrets/unseal-error.js';

const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const TEXT = 'https://accounts.test/a-link?with=ümlauts';

/** The reason why a text cannot be decrypted. */
function codeOf(open: () => unknown): string {
  try {
    return `opened: ${open()}`;
  } catch (error) {
    return (error as UnsealError).code;
  }
}

describe('an encrypted text', () => {
  const seal = new EncryptionKeys([first]).sealFor('mails');
  const sealed = seal.seal(TEXT, 'row 1');

  test('names the key by eight digits, shows nothing else, and is different each time', () => {
    expect(sealed).toMatch(/^[\da-f]{8}\.[\w-]+$/);
    expect(Buffer.from(sealed.slice(9), 'base64url').toString('latin1')).not.toContain('accounts');
    expect(seal.seal(TEXT, 'row 1').slice(9)).not.toBe(sealed.slice(9));
    expect(seal.open(sealed, 'row 1')).toBe(TEXT);
    expect(seal.open(seal.seal('', 'row 1'), 'row 1')).toBe('');
  });

  test('can be decrypted with each of several keys; the first one encrypts', () => {
    const rolled = new EncryptionKeys([second, first]).sealFor('mails');
    expect(rolled.open(sealed, 'row 1')).toBe(TEXT);
    expect(rolled.seal(TEXT, 'row 1').slice(0, 8)).toBe(
      new EncryptionKeys([second]).sealFor('x').seal('', '').slice(0, 8),
    );
    expect(codeOf(() => seal.open(rolled.seal(TEXT, 'row 1'), 'row 1'))).toBe('sealed_with_unknown_key');
  });

  test('counts as damaged if it was changed, moved to another row, or encrypted for another purpose', () => {
    const changed = [...Array(sealed.length - 9).keys()].map((index) => {
      const at = 9 + index;
      return sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    });
    for (const text of [...changed.slice(0, -1), sealed.slice(0, -4), sealed.slice(0, 20), sealed.slice(0, 9)])
      expect(
        codeOf(() => seal.open(text, 'row 1')),
        text,
      ).toBe('sealed_text_damaged');
    for (const text of ['', 'plain text', sealed.slice(9), `${sealed}.x`])
      expect(
        codeOf(() => seal.open(text, 'row 1')),
        text,
      ).toBe('sealed_text_damaged');
    expect(codeOf(() => seal.open(sealed, 'row 2'))).toBe('sealed_text_damaged');
    expect(codeOf(() => new EncryptionKeys([first]).sealFor('other').open(sealed, 'row 1'))).toBe(
      'sealed_text_damaged',
    );
  });

  test('with an unknown key id gets another error than a damaged one', () => {
    expect(codeOf(() => new EncryptionKeys([second, third]).sealFor('mails').open(sealed, 'row 1'))).toBe(
      'sealed_with_unknown_key',
    );
  });
});

describe('the derived keys', () => {
  const hex = (keys: EncryptionKeys, purpose = 'a') => keys.hashKey(purpose).export().toString('hex');

  test('for hashes are the same in any order of the keys, and differ by purpose and key', () => {
    const orders = [
      [first, second, third],
      [third, first, second],
      [second, third, first],
    ] as const;
    expect(new Set(orders.map((keys) => hex(new EncryptionKeys(keys)))).size).toBe(1);
    const all = [
      hex(new EncryptionKeys([first])),
      hex(new EncryptionKeys([first]), 'b'),
      hex(new EncryptionKeys([second])),
    ];
    expect(new Set([...all, first.toString('hex'), second.toString('hex')]).size).toBe(5);
  });

  test('for marks are one for each key, in their order', () => {
    const marks = (...keys: [Buffer, ...Buffer[]]) =>
      new EncryptionKeys(keys).markKeys('a').map((key) => key.export().toString('hex'));
    expect(marks(first, second)).toEqual([...marks(first), ...marks(second)]);
    expect(new Set(marks(first, second)).size).toBe(2);
  });

  test('are not shown when the keys are printed', () => {
    const keys = new EncryptionKeys([first, second]);
    const shown = inspect({ keys, seal: keys.sealFor('a') }, { depth: 12, showHidden: true, getters: true });
    for (const secret of [first, second, Buffer.from(hex(keys), 'hex')])
      for (const encoding of ['hex', 'base64', 'base64url'] as const)
        expect(shown + JSON.stringify(keys)).not.toContain(secret.toString(encoding));
  });
});
