import { defineConfig } from 'vitest/config';
import base from '../vitest.config.js';

/** The tests that need Debian's Chromium, which takes the other cores; `npm test` does without. */
export default defineConfig({
  test: { ...base.test, include: ['test/browser/*.test.ts'], exclude: [], maxWorkers: 1 },
});
