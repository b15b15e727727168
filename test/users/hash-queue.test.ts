import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashQueue, type HashWork } from '../../src/users/hash-queue.js';

const BOUNDS = { parallel: 2, waiting: 12, waitingPerNetwork: 4 };

/** A queue whose work ends on command. */
function controlled(bounds = BOUNDS) {
  const queue = new HashQueue(bounds);
  const started: number[] = [];
  const refused: number[] = [];
  const ends: (() => void)[] = [];
  const submit = (id: number, work?: HashWork) => {
    const run = () => {
      started.push(id);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    queue.run(run, work).catch((error) => {
      expect(error.code).toBe('service_unavailable');
      refused.push(id);
    });
  };
  const settle = async () => {
    for (let tick = 0; tick < 8; tick++) await Promise.resolve();
  };
  const endOne = async () => {
    ends.shift()?.();
    await settle();
  };
  return { submit, settle, endOne, started, refused, isIdle: () => ends.length === 0 };
}

/** The order in which some work starts, once all places are taken. */
async function orderOf(work: readonly HashWork[], bounds = BOUNDS) {
  const queue = controlled(bounds);
  for (let id = 0; id < bounds.parallel; id++) queue.submit(-1);
  work.forEach((each, index) => {
    queue.submit(index, each);
  });
  await queue.settle();
  while (!queue.isIdle()) await queue.endOne();
  return { started: queue.started.filter((id) => id >= 0), refused: queue.refused };
}

const a = { network: 'a' };
const b = { network: 'b' };
const c = { network: 'c' };
const signUp = (work: HashWork) => ({ ...work, isSignUp: true });

describe('the queue of hashes', () => {
  test('lets networks take turns, each in its own order', async () => {
    expect((await orderOf([a, a, a, b, b, c])).started).toEqual([0, 3, 5, 1, 4, 2]);
  });

  test('serves sign-ins before sign-ups, but one sign-up after every four sign-ins', async () => {
    const { started } = await orderOf([signUp(a), signUp(b), a, b, c, a, b, c]);
    expect(started).toEqual([2, 3, 4, 5, 0, 6, 7, 1]);
  });

  test('gives a network no more than its share, and drops its sign-ups before its sign-ins', async () => {
    const { started, refused } = await orderOf([signUp(a), signUp(a), a, a, a, a, a, b]);
    expect(refused).toEqual([1, 0, 6]);
    expect(started).toEqual([2, 7, 3, 4, 5]);
  });

  test('when it is full, drops for a sign-in the newest sign-up of the network with the most sign-ups', async () => {
    const bounds = { ...BOUNDS, waiting: 5 };
    expect((await orderOf([signUp(a), signUp(b), signUp(a), signUp(a), signUp(c), b], bounds)).refused).toEqual([3]);
  });

  test('drops the newest request of the largest network if no sign-up waits, and the new one among equal networks', async () => {
    const bounds = { ...BOUNDS, waiting: 4 };
    expect((await orderOf([a, a, a, b, c], bounds)).refused).toEqual([2]);
    expect((await orderOf([a, a, b, b, c, c], bounds)).refused).toEqual([1, 5]);
  });

  test('among equal networks that had a turn, drops the newest request of the one that had the last turn', async () => {
    const queue = controlled({ ...BOUNDS, parallel: 1, waiting: 3 });
    for (const [id, work] of [a, b, c].entries()) queue.submit(id, work);
    for (let turn = 0; turn < 3; turn++) await queue.endOne();
    queue.submit(10, { network: 'other' });
    for (const [id, work] of [b, c, a].entries()) queue.submit(20 + id, work);
    queue.submit(30, { network: 'new' });
    await queue.settle();
    expect(queue.refused).toEqual([21]); // of c
    queue.submit(40, c);
    await queue.settle();
    expect(queue.refused).toEqual([21, 40]);
  });

  test('lets a network with one request wait for one turn of each other network, however many requests those add', async () => {
    const queue = controlled({ ...BOUNDS, parallel: 1 });
    queue.submit(-1);
    for (let id = 0; id < 4; id++) queue.submit(id, a);
    queue.submit(100, b);
    for (let id = 4; id < 10; id++) {
      await queue.endOne();
      queue.submit(id, a);
    }
    expect(queue.started.indexOf(100)).toBeLessThanOrEqual(2 + 1);
  });

  test('loses nothing, keeps its limits, and keeps each network in order, whatever arrives', async () => {
    const step = fc.oneof(
      { weight: 1, arbitrary: fc.constant('end' as const) },
      {
        weight: 4,
        arbitrary: fc.record({ network: fc.constantFrom('a', 'b', 'c', 'd', undefined), isSignUp: fc.boolean() }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
        const queue = controlled();
        const all: HashWork[] = [];
        let ended = 0;
        for (const each of steps) {
          if (each === 'end') {
            if (!queue.isIdle()) ended++;
            await queue.endOne();
          } else {
            queue.submit(all.length, each);
            all.push(each);
            await queue.settle();
          }
          const done = new Set([...queue.started, ...queue.refused]);
          const waiting = all.filter((_, id) => !done.has(id));
          expect(queue.started.length - ended).toBeLessThanOrEqual(BOUNDS.parallel);
          expect(waiting.length).toBeLessThanOrEqual(BOUNDS.waiting);
          if (waiting.length > 0) expect(queue.started.length - ended).toBe(BOUNDS.parallel);
          for (const network of 'abcd') {
            expect(waiting.filter((work) => work.network === network).length).toBeLessThanOrEqual(
              BOUNDS.waitingPerNetwork,
            );
          }
        }
        while (!queue.isIdle()) await queue.endOne();
        const done = [...queue.started, ...queue.refused].sort((one, other) => one - other);
        expect(done).toEqual(all.map((_, id) => id));
        for (const network of ['a', 'b', 'c', 'd', undefined]) {
          for (const isSignUp of [true, false]) {
            const own = queue.started.filter((id) => all[id]?.network === network && all[id]?.isSignUp === isSignUp);
            expect(own).toEqual(own.toSorted((one, other) => one - other));
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
