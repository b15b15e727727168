import { availableParallelism } from 'node:os';
import { hash } from '@node-rs/argon2';
import { describe, expect, test } from 'vitest';
import { JwtAllauthError } from '../../src/index.js';
import { PasswordHasher } from '../../src/users/password-hasher.js';

const AT_WORK = Math.min(4, availableParallelism());
const WAITING = 256;
const ADMITTED = AT_WORK + WAITING;

/** A hash that takes no time, so that a flood of checks takes none either. */
const cheapHash = () => hash('the password', { memoryCost: 8, timeCost: 1, parallelism: 1 });

const refusals = (results: PromiseSettledResult<unknown>[]) =>
  results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);

describe('the password hasher', () => {
  test('limits running and waiting work, refuses the rest with 503, and works again afterwards', async () => {
    const hasher = new PasswordHasher();
    const cheap = await cheapHash();
    await hasher.verify(cheap, 'the password');
    const flood = await Promise.allSettled(
      Array.from({ length: ADMITTED + 40 }, () => hasher.verify(cheap, 'the password')),
    );
    expect(flood.filter((result) => result.status === 'fulfilled' && result.value)).toHaveLength(ADMITTED);
    const refused = refusals(flood);
    expect(refused).toHaveLength(40);
    for (const error of refused) {
      expect(error).toBeInstanceOf(JwtAllauthError);
      expect(error.toJSON()).toMatchObject({ status: 503, code: 'service_unavailable' });
      expect(error.retryAfter).toBeGreaterThan(0);
    }
    const again = Array.from({ length: ADMITTED }, () => hasher.verify(cheap, 'the password'));
    expect((await Promise.all(again)).every(Boolean)).toBe(true);
  });

  test('still works after a flood that came before its first check', async () => {
    const hasher = new PasswordHasher();
    const cheap = await cheapHash();
    const atWork = Array.from({ length: AT_WORK }, () => hasher.hash('a new password'));
    // The queued checks fail at once, so that the test need not hash for seconds.
    const waiting = Array.from({ length: WAITING }, () => hasher.hash(null as never));
    const ended = Promise.allSettled([...atWork, ...waiting]);
    await expect(hasher.verify(cheap, 'the password')).rejects.toMatchObject({ code: 'service_unavailable' });
    expect(refusals(await ended).every((error) => error instanceof TypeError)).toBe(true);
    expect((await Promise.all(atWork)).every((made) => made.startsWith('$argon2id$'))).toBe(true);
    expect(await hasher.verify(cheap, 'the password')).toBe(true);
    expect(await hasher.verify(null, 'the password')).toBe(false);
  });

  test('leaves the event loop free while it hashes', async () => {
    const hasher = new PasswordHasher();
    let isHashing = true;
    let ticks = 0;
    const tick = () => {
      if (!isHashing) return;
      ticks++;
      setImmediate(tick);
    };
    setImmediate(tick);
    await Promise.all(Array.from({ length: 8 }, () => hasher.hash('a new password')));
    isHashing = false;
    expect(ticks).toBeGreaterThan(8);
  });

  test('a check that fails releases its place to the next one', async () => {
    const hasher = new PasswordHasher();
    const checks = Array.from({ length: ADMITTED }, () => hasher.verify('not a hash', 'the password'));
    expect(await Promise.all(checks)).toEqual(checks.map(() => false));
    expect(await hasher.verify(await hasher.hash('the password'), 'the password')).toBe(true);
  });

  test.each([null, undefined, ''])(
    'without a hash (%s) no password is correct, not even that of the decoy',
    async (none) => {
      const hasher = new PasswordHasher();
      expect(await hasher.verify(none, 'no such user')).toBe(false);
      expect(await hasher.verify(none, '')).toBe(false);
    },
  );

  test('distinguishes a current hash from one that should be renewed', async () => {
    const hasher = new PasswordHasher();
    expect(hasher.isOutdated(await hasher.hash('the password'))).toBe(false);
    expect(hasher.isOutdated(await cheapHash())).toBe(true);
  });
});
