import { createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { keyedHash } from '../../src/secrets/keyed-hash.js';

const key = (text: string) => createSecretKey(Buffer.from(text));

test('a keyed hash has 43 characters, and another one for another key and for another list of values', () => {
  expect(keyedHash(key('one'), ['a', 1])).toBe('EVBLy9o6ZuDL5rr4NUKvkbAmr7AIGqdhjhEVxYnGETg');
  const lists = [['a', 1], ['a', '1'], ['a1'], ['a,1'], ['a', 1, null], [['a', 1]], []];
  const hashes = ['one', 'two'].flatMap((name) => lists.map((list) => keyedHash(key(name), list)));
  expect(new Set(hashes).size).toBe(14);
  for (const hash of hashes) expect(hash).toMatch(/^[\w-]{43}$/);
});
