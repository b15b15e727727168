import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './support/longest-first.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/setup.ts'],
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 60_000,
    isolate: false, // setup.ts resets the state that all files of a process share
    execArgv: ['--max-semi-space-size=64'], // most objects die young: a tenth less CPU time
    maxWorkers: Math.ceil(availableParallelism() * 1.5), // many tests wait for timers that fire once a second
  },
});
