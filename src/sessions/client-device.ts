import Bowser from 'bowser';
import type { Proof } from '../dpop/proof.js';
import type { JwtAllauthError } from '../error.js';
import type { Settings } from '../settings/settings.js';
import type { RequestClient } from '../tokens/session-context.js';
import { clientAddress } from './client-network.js';

/** The client that sends a request. */
export interface SessionClient extends RequestClient {
  /** Sessions of this client that a new session replaces. They do not count for MAX_SESSIONS_PER_USER. */
  readonly replaces?: readonly { readonly session: string; readonly sub: string }[];
  /** The verified DPoP proof of the request. A new session is bound to its key. */
  readonly proof?: Proof;
  /** Why the proof of a refresh was refused: `RotationService` throws it, after it has verified the token. */
  readonly proofFault?: JwtAllauthError;
  /** Whether a browser opens a page, which cannot send a proof. The first refresh binds such a session. */
  readonly isPage?: boolean;
}

/** What a session stores about a client (COLLECT_USER_AGENT). A page can show it. Null: not known, or not collected. */
export interface ClientDevice {
  readonly ip: string | null;
  readonly browser: string | null;
  readonly os: string | null;
  readonly device: string | null;
}

/** Stored if COLLECT_USER_AGENT is off. */
const NO_DEVICE: ClientDevice = { ip: null, browser: null, os: null, device: null };

/** How many characters of the header are parsed, because an attacker can send a long one. */
const MAX_HEADER_LENGTH = 512;

/** Length of the columns for browser, operating system and device. */
const MAX_LENGTH = 64;

/** What a session stores about a client, depending on COLLECT_USER_AGENT. */
export function deviceOf(client: SessionClient | undefined, { collectUserAgent }: Settings): ClientDevice {
  return collectUserAgent && client ? describeClient(client) : NO_DEVICE;
}

/**
 * Describes address, browser and operating system of a client, for a mail. Undefined if nothing is known or collected.
 * The client controls the `User-Agent` header, and the reader may be another person. So only names of known browsers
 * and systems are included.
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
  const software = names.filter(Boolean).join(', ');
  const ip = clientAddress(client.ip);
  if (!ip) return software || undefined;
  return software ? `${ip} (${software})` : ip;
}

/** Normalises the address, and reads browser, operating system and device from the `User-Agent` header. */
function describeClient({ ip, userAgent }: SessionClient): ClientDevice {
  const { browser, os, platform } = parseHeader(userAgent);
  return {
    ip: clientAddress(ip) ?? null,
    browser: plainWords(browser.name, browser.version),
    os: plainWords(os.name, os.versionName ?? os.version),
    device: plainWords(platform.vendor, platform.model) ?? plainWords(platform.type),
  };
}

function parseHeader(userAgent = ''): Pick<Bowser.Parser.ParsedResult, 'browser' | 'os' | 'platform'> {
  const header = userAgent.slice(0, MAX_HEADER_LENGTH);
  return header ? Bowser.parse(header) : { browser: {}, os: {}, platform: {} };
}

/** Joins words. Keeps only letters, digits, spaces and a few signs, so that no text is HTML or controls a terminal. */
function plainWords(...parts: readonly (string | undefined)[]): string | null {
  const text = parts
    .filter(Boolean)
    .join(' ')
    .replace(/[^\p{L}\p{N} .,_()+-]/gu, '');
  return text.trim().slice(0, MAX_LENGTH).trim() || null;
}
