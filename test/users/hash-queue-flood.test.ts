import { expect, test } from 'vitest';
import { HashQueue, type HashWork } from '../../src/users/hash-queue.js';
import { flood } from '../support/hash-flood.js';

const BOUNDS = { parallel: 2, waiting: 256, waitingPerNetwork: 64 };
const signUp = (index: number): HashWork => ({ network: `bot ${index}`, isSignUp: true });

/** Simulated time. The queue is full after the first second. */
const SECONDS = 30;

/** Owners sign in during a flood, each from a separate network. */
const beside = (bots: readonly HashWork[]) => {
  const queue = new HashQueue(BOUNDS);
  return flood((work, whose) => queue.run(work, whose), bots, SECONDS);
};

test('endless sign-ups from one network, over 300 connections, keep no owner from signing in', async () => {
  const { owners, bots } = await beside(Array.from({ length: 300 }, () => signUp(0)));
  expect(owners).toMatchObject({ asked: 60, refused: 0 });
  expect(owners.longestWait).toBeLessThanOrEqual(40); // the two hashes that were running
  expect(bots.served).toBeGreaterThan(2000); // the capacity that the owners leave
});

test('endless sign-ups from 1,000 networks keep no owner from signing in', async () => {
  const { owners, bots } = await beside(Array.from({ length: 1000 }, (_, index) => signUp(index)));
  expect(owners).toMatchObject({ asked: 60, refused: 0 });
  expect(owners.longestWait).toBeLessThanOrEqual(40);
  expect(bots.served).toBeGreaterThan(2000);
});

test('endless sign-ins from 1,000 networks keep no owner from signing in, after each network has had one turn', async () => {
  const { owners, bots } = await beside(Array.from({ length: 1000 }, (_, index) => ({ network: `bot ${index}` })));
  // A thousand hashes take ten seconds. Before that, these networks look like an owner's.
  expect(owners.refusedAfter(15_000)).toBe(0);
  expect(owners.longestWait).toBeLessThanOrEqual(3000);
  expect(bots.served).toBeGreaterThan(2000);
});
