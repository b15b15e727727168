import ipaddr from 'ipaddr.js';

/**
 * What an address is counted as: an IPv4 address by itself, an IPv6 address by its /64, which is what one subscriber gets
 * (RFC 6177), and an IPv4-mapped one as the IPv4 address that it is.
 */
export function clientNetwork(ip: string | undefined): string {
  if (!ip || !ipaddr.isValid(ip)) return 'unknown';
  const address = ipaddr.process(ip);
  return address instanceof ipaddr.IPv6
    ? `${address.parts
        .slice(0, 4)
        .map((part) => part.toString(16))
        .join(':')}::/64`
    : address.toString();
}
