import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/**
 * Debian's Chromium, with an empty profile. A host of ours that nobody serves is led to a port of this machine, so that
 * the links of mails are opened as they are.
 */
export async function launchChromium(host: string, port: number): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    throw new Error(`There is no Chromium at ${executablePath}: apt-get install chromium, or set CHROMIUM.`);
  }
  const rules = `--host-resolver-rules=MAP ${host}:80 127.0.0.1:${port}`;
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking', rules] });
}
