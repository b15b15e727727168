import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { freePort } from '../../src/testing/free-port.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { launchChromium } from './chromium.js';
import { type DemoProcess, startDemo } from './demo-process.js';

/** What the tests of a file share: Chromium, and demos on one database. */
export interface Demos {
  /** Starts the demo as its user does, with some other settings. It runs until the end of the file. */
  readonly demoWith: (env?: Record<string, string>) => Promise<DemoProcess>;
  /** Opens a browser context with a profile of its own, until the end of the test. */
  readonly newContext: (options?: BrowserContextOptions) => Promise<BrowserContext>;
  /** Records errors of a page and what it writes to its console, except `log` and refused requests to the demo. */
  readonly watch: (page: Page) => void;
  /** What a page must not do, such as errors on its console. A test fails if it leaves one here. */
  readonly faults: string[];
  readonly query: TestDatabase['pool']['query'];
}

/** Prepares Chromium and a database for the tests of a file, and removes all of it after them. */
export function useDemos(staffPassword: string): Demos {
  let directory: string;
  let database: TestDatabase;
  let browser: Browser;
  const running: DemoProcess[] = [];
  const contexts: BrowserContext[] = [];
  const faults: string[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'jwt-allauth-demos-'));
    database = await createTestDatabase();
    browser = await launchChromium('demo.test', 1);
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    expect(faults.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all(running.splice(0).map((demo) => demo.stop()));
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });
  return {
    demoWith: async (env = {}) => {
      const own = { DATABASE_URL: database.url, DEMO_DATA: directory, DEMO_STAFF_PASSWORD: staffPassword };
      const demo = await startDemo(directory, { ...own, PORT: String(await freePort()), ...env });
      running.push(demo);
      return demo;
    },
    newContext: async (options) => {
      const context = await browser.newContext(options);
      contexts.push(context);
      return context;
    },
    watch: (page) => {
      page.on('console', (message) => {
        const { url } = message.location();
        if (message.type() !== 'log' && !isRefusal(message.text(), url)) faults.push(`${message.text()} ${url}`);
      });
      page.on('pageerror', (error) => faults.push(error.message));
    },
    faults,
    query: ((...args: Parameters<TestDatabase['pool']['query']>) =>
      database.pool.query(...args)) as TestDatabase['pool']['query'],
  };
}

/**
 * Whether a console message is about a refused request to the demo. Every path can be refused at any time, because
 * another tab may end the session.
 */
function isRefusal(text: string, url: string): boolean {
  return /status of (400|401|403|409)/.test(text) && /\/(auth|admin|profile|theft)\b/.test(url);
}
