import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Maximum length of an address with brackets, zone id and port. Longer texts are not parsed. */
const LONGEST_ADDRESS = 128;

/**
 * Normalises Express's `req.ip`: removes port, brackets and zone id, which some proxies write into `X-Forwarded-For`,
 * and converts an IPv4-mapped address to IPv4. Undefined if it is not an address.
 */
export function clientAddress(ip: string | undefined): string | undefined {
  return parseAddress(ip)?.toString();
}

/**
 * The network of a client, for rate limits and comparisons: the IPv4 address, or the /64 prefix of an IPv6 address,
 * which is what a subscriber gets (RFC 6177). Undefined if it is not an address; such clients must not share a counter.
 */
export function clientNetwork(ip: string | undefined): string | undefined {
  const address = parseAddress(ip);
  if (!(address instanceof ipaddr.IPv6)) return address?.toString();
  const groups = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${groups.join(':')}::/64`;
}

function parseAddress(ip: string | undefined): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ip || ip.length > LONGEST_ADDRESS) return undefined;
  // In brackets the end of an address is clear. Without brackets, a text that is a valid address has no port.
  const [, bracketed] = /^\[([^[\]]+)\](?::\d{1,5})?$/.exec(ip.trim()) ?? [];
  const bare = (bracketed ?? ip.trim()).replace(/%[^%:[\]]+$/, '');
  const address = [bare, bracketed ? '' : bare.replace(/:\d{1,5}$/, '')].find((text) => isIP(text));
  return address ? ipaddr.process(address) : undefined;
}
