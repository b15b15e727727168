import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type LaunchOptions } from 'playwright-core';

/** The features that Playwright switches off: Chromium regards only the last list, which is the one below. */
const OFF_FOR_PLAYWRIGHT = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];

/**
 * Pages of Chromium itself that it prepares for each window, and processes that it starts in advance. Without them, a
 * page costs half the CPU time.
 */
const PREPARED = [
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
  'SpareRendererForSitePerProcess',
];

/** Values of Chromium's preference `cookie_controls_mode`. */
const [KEEP, BLOCK] = [0, 1];

/**
 * Debian's Chromium, with an empty profile. An invented host name is mapped to a port of this machine, so that
 * the links of mails are opened as they are.
 */
export async function launchChromium(host: string, port: number): Promise<Browser> {
  return chromium.launch(options(`MAP ${host}:80 127.0.0.1:${port}`));
}

/**
 * The same with TLS: `https` of the hosts is mapped to the port, and any certificate is accepted.
 *
 * @param thirdPartyCookies kept, as Google's Chrome does outside of incognito windows, or blocked, as Debian's does
 */
export async function openChromiumByTls(
  hosts: string,
  port: number,
  thirdPartyCookies: 'kept' | 'blocked',
): Promise<{ context: BrowserContext; close(): Promise<void> }> {
  const profile = await mkdtemp(join(tmpdir(), 'jwt-allauth-chromium-'));
  await mkdir(join(profile, 'Default'));
  const mode = thirdPartyCookies === 'kept' ? KEEP : BLOCK;
  await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: mode } }));
  const more = options(`MAP ${hosts}:443 127.0.0.1:${port}`, ['--ignore-certificate-errors']);
  const context = await chromium.launchPersistentContext(profile, more);
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true });
  };
  return { context, close };
}

function options(rule: string, more: string[] = []): LaunchOptions {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    throw new Error(`There is no Chromium at ${executablePath}: apt-get install chromium, or set CHROMIUM.`);
  }
  const off = `--disable-features=${[...OFF_FOR_PLAYWRIGHT, ...PREPARED].join()}`;
  const args = ['--no-sandbox', '--disable-background-networking', off, `--host-resolver-rules=${rule}`, ...more];
  return { executablePath, args };
}
