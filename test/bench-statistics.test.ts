import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { estimate, median, quantile } from '../bench/statistics.js';

describe('the statistics of the benchmark', () => {
  test.each([
    { values: [3], middle: 3 },
    { values: [5, 1, 3], middle: 3 },
    { values: [4, 1, 3, 2], middle: 2.5 },
  ])('the median of $values is $middle', ({ values, middle }) => {
    expect(median(values)).toBe(middle);
  });

  test('a share q of the values lies below the quantile q', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.99, 1].map((q) => quantile(hundred, q))).toEqual([1, 51, 100, 100]);
  });

  test('an interval contains its median, stays within the values, and is reproducible', () => {
    const ratios = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(ratios, (values) => {
        const { value, low, high } = estimate(values);
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
        expect(low).toBeGreaterThanOrEqual(Math.min(...values));
        expect(high).toBeLessThanOrEqual(Math.max(...values));
        expect(estimate(values)).toEqual({ value, low, high });
      }),
      { numRuns: 30 },
    );
  });

  test('an interval of 95 % misses the true median of a normal sample about once in twenty times', () => {
    let state = 1;
    const uniform = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const trials = Array.from({ length: 200 }, () => estimate(Array.from({ length: 30 }, normal)));
    const missed = trials.filter(({ low, high }) => low > 0 || high < 0).length;
    expect(missed).toBeGreaterThan(2);
    expect(missed).toBeLessThan(20);
  });
});
