import { expect, test } from 'vitest';
import { PasswordHasher } from '../src/users/password-hasher.service.js';

test('a hasher that was flooded before its first check turns requests away only until the flood is over', async () => {
  const hasher = new PasswordHasher();
  const flood = Array.from({ length: 300 }, (_, index) => hasher.hash(`password number ${index}`));
  const early = hasher.verify(undefined, 'a sentence of some length');
  const [refused, ...hashes] = await Promise.allSettled([early, ...flood]);
  expect(refused).toMatchObject({ status: 'rejected', reason: { httpCode: 503, code: 'service_unavailable' } });

  const made = hashes.filter((result) => result.status === 'fulfilled');
  for (const result of hashes) {
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ code: 'service_unavailable', retryAfter: 5 });
  }
  expect(made.length).toBeGreaterThanOrEqual(256);
  expect(made.length).toBeLessThan(300);
  const first = made[0]?.value ?? '';
  expect(await hasher.verify(first, 'password number 0')).toBe(true);
  expect(await hasher.verify(first, 'password number 1')).toBe(false);
  expect(await hasher.verify(undefined, 'no such user')).toBe(false);
});
