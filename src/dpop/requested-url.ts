import type { IncomingHttpHeaders } from 'node:http';
import type { Settings } from '../settings/settings.js';

/** The parts of a request that say which URL it is for. Express and plain Node requests have them. */
export interface AddressedRequest {
  readonly method?: string;
  readonly headers: IncomingHttpHeaders;
  /** The path and the query, in Express: of the whole app, not of a part of it. */
  readonly originalUrl?: string;
  readonly url?: string;
  /** `http` or `https`, derived with the app's `trust proxy` setting. Only in Express. */
  readonly protocol?: string;
  /** The Express app that is handling the request. */
  readonly app?: unknown;
  readonly socket?: { readonly remoteAddress?: string };
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * The host that the client requested, with its port. `X-Forwarded-Host` counts only if the app's `trust proxy` setting
 * trusts the sender, as in Express. Express 4 itself returns the host without the port.
 */
export function hostOf({ headers, app, socket }: AddressedRequest): string | undefined {
  const { get } = (app ?? {}) as { get?: (setting: string) => unknown };
  const trusts = get?.call(app, 'trust proxy fn') as ((address: unknown, hop: number) => boolean) | undefined;
  const forwarded = headers['x-forwarded-host'];
  if (typeof forwarded === 'string' && forwarded && trusts?.(socket?.remoteAddress, 0)) {
    return forwarded.split(',')[0]?.trim();
  }
  return headers.host;
}

/**
 * Whether an origin is that of the request. The scheme `https` also matches a request that arrives as http, because TLS
 * may end at a proxy. A page on `http` does not match a request over https. Some proxies add the default port to the
 * host; browsers leave it out.
 */
export function isOwnOrigin(origin: string, request: AddressedRequest): boolean {
  const url = URL.parse(origin);
  return url !== null && isOwn(url, request);
}

function isOwn({ protocol: scheme, host: given }: URL, request: AddressedRequest): boolean {
  const host = hostOf(request)?.toLowerCase();
  const isHost = Boolean(host) && (host === given || host === `${given}:${DEFAULT_PORTS[scheme]}`);
  return isHost && (scheme === 'https:' || scheme === `${request.protocol ?? 'http'}:`);
}

/**
 * Whether an `htu` is the URL of a request, without query and fragment (RFC 9449 §4.3): below PUBLIC_URL, at the
 * request's own address, or at a trusted origin. Schemes and hosts are compared in lower case, default ports left out.
 */
export function isUrlOf(
  htu: unknown,
  request: AddressedRequest,
  { publicUrl, trustedOrigins }: Pick<Settings, 'publicUrl' | 'trustedOrigins'>,
): boolean {
  const url = typeof htu === 'string' ? URL.parse(htu) : null;
  if (!url) return false;
  const { origin, pathname } = url;
  const path = pathOf(request);
  const isTrusted = trustedOrigins.includes(origin) || isOwn(url, request);
  if (isTrusted && pathname === path) return true;
  if (publicUrl === undefined) return false;
  const base = new URL(publicUrl);
  const isHere = origin === base.origin || isTrusted;
  return isHere && [path, base.pathname.replace(/\/$/, '') + path].includes(pathname);
}

/** The URL that clients should use for a request, without its query: below PUBLIC_URL, or else as it was requested. */
export function urlOf(request: AddressedRequest, { publicUrl }: Pick<Settings, 'publicUrl'>): string {
  const path = pathOf(request);
  if (publicUrl === undefined) return `${request.protocol ?? 'http'}://${hostOf(request)}${path}`;
  const { origin, pathname } = new URL(publicUrl);
  const base = pathname.replace(/\/$/, '');
  return origin + (path.startsWith(`${base}/`) ? path : base + path);
}

function pathOf({ originalUrl, url = '' }: AddressedRequest): string {
  return (originalUrl ?? url).replace(/[?#].*/s, '');
}
