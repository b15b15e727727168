import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launchChromium } from './chromium.js';

/** The one Chromium of a test file. Each test has contexts of its own, which share nothing. */
export interface SharedChromium {
  /** Sends the requests for the invented host to this port from now on. */
  serve(port: number): void;
  /** Opens a context with a profile of its own. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** Closes all contexts, with their connections. */
  closeContexts(): Promise<void>;
}

/** Starts Chromium for all tests of a file, because its start takes longer than most of them, and ends it after them. */
export function useChromium(host: string): SharedChromium {
  let browser: Browser;
  let door: Server;
  let target = 0;
  beforeAll(async () => {
    door = createServer((arrived) => {
      const passed = connect(target, '127.0.0.1');
      arrived.pipe(passed).pipe(arrived);
      arrived.on('error', () => passed.destroy()).on('close', () => passed.destroy());
      passed.on('error', () => arrived.destroy()).on('close', () => arrived.destroy());
    }).listen(0, '127.0.0.1');
    await once(door, 'listening');
    browser = await launchChromium(host, (door.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await browser.close();
    door.close();
  });
  return {
    serve: (port) => {
      target = port;
    },
    newContext: (options) => browser.newContext(options),
    closeContexts: async () => {
      for (const context of browser.contexts()) await context.close();
    },
  };
}
