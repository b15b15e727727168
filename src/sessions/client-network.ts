import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Longer than any address with brackets, zone id and port: the rest of a header is not looked at. */
const LONGEST_ADDRESS = 128;

/**
 * The address of a client in its usual form, as Express's `req.ip` has it: without the port, brackets and zone id that
 * some proxies write into `X-Forwarded-For`; an IPv4-mapped one as the IPv4 address that it is. Undefined for what is
 * no address.
 */
export function clientAddress(ip: string | undefined): string | undefined {
  return parseAddress(ip)?.toString();
}

/**
 * What a client is counted and compared by: an IPv4 address by itself, an IPv6 address by its /64, which is what one
 * subscriber gets (RFC 6177). Undefined for what is no address: clients without one have nothing in common.
 */
export function clientNetwork(ip: string | undefined): string | undefined {
  const address = parseAddress(ip);
  if (!(address instanceof ipaddr.IPv6)) return address?.toString();
  const groups = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${groups.join(':')}::/64`;
}

function parseAddress(ip: string | undefined): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ip || ip.length > LONGEST_ADDRESS) return undefined;
  // In brackets an address ends for sure. Without them, a text that is an address as it stands has no port.
  const [, bracketed] = /^\[([^[\]]+)\](?::\d{1,5})?$/.exec(ip.trim()) ?? [];
  const bare = (bracketed ?? ip.trim()).replace(/%[^%:[\]]+$/, '');
  const address = [bare, bracketed ? '' : bare.replace(/:\d{1,5}$/, '')].find((text) => isIP(text));
  return address ? ipaddr.process(address) : undefined;
}
