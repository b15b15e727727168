import { defineConfig } from 'vitest/config';
import base from '../vitest.config.js';

/** The tests that need Debian's Chromium, which uses other cores as well; `npm test` does not run them. */
export default defineConfig({
  test: { ...base.test, include: ['test/browser/*.test.ts'], exclude: [], maxWorkers: 2 },
});
