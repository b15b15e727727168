import { describe, expect, test } from 'vitest';
import { weaknessOf } from '../../src/users/password-strength.js';

/** Input for which an estimator is slow: look-alike characters, digits, repetitions, sequences of words. */
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

describe('the time to check a password', () => {
  test.each(SLOW)('is limited, whatever the password: %s', (unit) => {
    const password = unit.repeat(128).slice(0, 128);
    const context = ['countess@analytical.example', 'countess', 'analytical', 'augusta', 'lovelace'];
    weaknessOf('warm up the estimator', context);
    const times = [0, 1, 2, 3, 4].map(() => {
      const { user } = process.cpuUsage();
      weaknessOf(password, context);
      return (process.cpuUsage().user - user) / 1000;
    });
    // Milliseconds of the processor. Without the limit some of these take 200 to 1500. The minimum of five: the code
    // gets warm.
    expect(Math.min(...times)).toBeLessThan(40);
  });
});
