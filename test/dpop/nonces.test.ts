import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { Clock } from '../../src/clock.js';
import { NONCE_SECONDS, Nonces } from '../../src/dpop/nonces.js';
import { EncryptionKeys } from '../../src/secrets/encryption-keys.js';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const FIRST = Buffer.alloc(32, 1);
const SECOND = Buffer.alloc(32, 2);

vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
afterAll(() => {
  vi.useRealTimers();
});
afterEach(() => {
  vi.setSystemTime(NOW);
});

const noncesOf = (...keys: [Buffer, ...Buffer[]]) =>
  new Nonces({ clock: new Clock(), encryption: new EncryptionKeys(keys) });
const nonces = noncesOf(FIRST);

test('a nonce is 30 characters of base64url and tells servers with the same keys when it was made', () => {
  const nonce = nonces.create();
  expect(nonce).toMatch(/^[\w-]{30}$/);
  expect(nonces.instantOf(nonce)).toBe(NOW);
  expect(noncesOf(FIRST).instantOf(nonce)).toBe(NOW);
  vi.setSystemTime(NOW + 1);
  expect(nonces.create()).not.toBe(nonce);
});

test('the instant of a nonce can be read at any time: it has expired later, and a server behind may see it early', () => {
  expect(NONCE_SECONDS).toBe(300);
  const nonce = nonces.create();
  for (const seconds of [-3600, 301, 1e6]) {
    vi.setSystemTime(NOW + seconds * 1000);
    expect(nonces.instantOf(nonce)).toBe(NOW);
  }
});

test('servers that know the keys in another order accept the nonces of each other', () => {
  expect(noncesOf(SECOND, FIRST).instantOf(noncesOf(FIRST, SECOND).create())).toBe(NOW);
});

test('a nonce of another key is none', () => {
  expect(nonces.instantOf(noncesOf(SECOND).create())).toBeUndefined();
});

test('no other text is a nonce, with any of its bits changed or in another form of base64url', () => {
  const nonce = nonces.create();
  const bytes = Buffer.from(nonce, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(nonces.instantOf(changed.toString('base64url'))).toBeUndefined();
  }
  for (let length = 0; length < nonce.length; length++) {
    expect(nonces.instantOf(nonce.slice(0, length))).toBeUndefined();
    expect(nonces.instantOf(nonce.slice(length + 1))).toBeUndefined();
  }
  // The last character has four bits too many: 15 other characters stand for the same bytes.
  const same = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    .map((last) => nonce.slice(0, -1) + last)
    .filter((text) => Buffer.from(text, 'base64url').equals(bytes));
  expect(same).toHaveLength(16);
  for (const text of same) expect(nonces.instantOf(text)).toBe(text === nonce ? NOW : undefined);
  const others = [`${nonce}==`, ` ${nonce}`, `${nonce}\n`, `${nonce}AAAA`, bytes.toString('hex'), '', [nonce], null, 1];
  for (const text of [...others, undefined, {}, bytes]) expect(nonces.instantOf(text)).toBeUndefined();
});
