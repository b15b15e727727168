import { describe, expect, test } from 'vitest';
import { weaknessOf } from '../../src/users/password-strength.js';

/** What an estimator is slow with: look-alike signs, digits, repetitions, words in a row. */
const SLOW: readonly string[] = [
  'p@55w0rd',
  '4@8({[<369&#!1/|0$5+7%2',
  '19841124',
  '1',
  'aA4@s$5',
  'kV7-',
  'passwordmonkeydragon',
  '|\\/|()',
];

describe('how long a password is judged', () => {
  test.each(SLOW)('is bounded, whatever the password: %s', (unit) => {
    const password = unit.repeat(128).slice(0, 128);
    const context = ['countess@analytical.example', 'countess', 'analytical', 'augusta', 'lovelace'];
    weaknessOf('warm up the estimator', context);
    const times = [0, 1, 2, 3, 4].map(() => {
      const { user } = process.cpuUsage();
      weaknessOf(password, context);
      return (process.cpuUsage().user - user) / 1000;
    });
    // Milliseconds of the processor. Without the bound some of these take 200 to 1500. The fewest of five: the code
    // gets warm.
    expect(Math.min(...times)).toBeLessThan(40);
  });
});
