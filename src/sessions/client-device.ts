import Bowser from 'bowser';
import type { Settings } from '../settings/settings.js';
import type { RequestClient } from '../tokens/session-context.js';
import { clientAddress } from './client-network.js';

/** Who sends a request, as Express tells it. */
export interface SessionClient extends RequestClient {
  /** Sessions that a new one of this client replaces: they make room where MAX_SESSIONS_PER_USER is reached. */
  readonly replaces?: readonly { readonly session: string; readonly sub: string }[];
}

/** What is kept of a client (COLLECT_USER_AGENT): plain words, good in any page, and null for what is not known. */
export interface ClientDevice {
  readonly ip: string | null;
  readonly browser: string | null;
  readonly os: string | null;
  readonly device: string | null;
}

/** What is kept where nothing is collected. */
const NO_DEVICE: ClientDevice = { ip: null, browser: null, os: null, device: null };

/** Characters of a header that are looked at: the time for it must not grow with what an attacker sends. */
const MAX_HEADER_LENGTH = 512;

/** Characters of what is kept, as its column has them. */
const MAX_LENGTH = 64;

/** What is kept of a client, as COLLECT_USER_AGENT says. */
export function deviceOf(client: SessionClient | undefined, { collectUserAgent }: Settings): ClientDevice {
  return collectUserAgent && client ? describeClient(client) : NO_DEVICE;
}

/**
 * Address, browser and system in words, for a mail; undefined for what is not known or not collected. The mail is read
 * by somebody else than the client, and the `User-Agent` header says whatever the client likes: names stand there only
 * if they are names of browsers and systems.
 */
export function clientInWords(
  client: SessionClient | undefined,
  { collectUserAgent }: Pick<Settings, 'collectUserAgent'>,
): string | undefined {
  if (!collectUserAgent || !client) return undefined;
  const { browser, os } = parseHeader(client.userAgent);
  const isName = (name: string | undefined, names: Record<string, string>) =>
    name !== undefined && Object.values(names).includes(name);
  const names = [
    isName(browser.name, Bowser.BROWSER_MAP) ? browser.name : undefined,
    isName(os.name, Bowser.OS_MAP) ? os.name : undefined,
  ];
  const device = names.filter(Boolean).join(', ');
  const ip = clientAddress(client.ip);
  if (!ip) return device || undefined;
  return device ? `${ip} (${device})` : ip;
}

/** Tells browser, system and device by the `User-Agent` header. */
function describeClient({ ip, userAgent }: SessionClient): ClientDevice {
  const { browser, os, platform } = parseHeader(userAgent);
  return {
    ip: clientAddress(ip) ?? null,
    browser: words(browser.name, browser.version),
    os: words(os.name, os.versionName ?? os.version),
    device: words(platform.vendor, platform.model) ?? words(platform.type),
  };
}

function parseHeader(userAgent = ''): Pick<Bowser.Parser.ParsedResult, 'browser' | 'os' | 'platform'> {
  const header = userAgent.slice(0, MAX_HEADER_LENGTH);
  return header ? Bowser.parse(header) : { browser: {}, os: {}, platform: {} };
}

/** The words without anything that has a meaning in HTML, a URL, a script or a terminal. */
function words(...parts: readonly (string | undefined)[]): string | null {
  const text = parts
    .filter(Boolean)
    .join(' ')
    .replace(/[^\p{L}\p{N} .,_()+-]/gu, '');
  return text.trim().slice(0, MAX_LENGTH).trim() || null;
}
