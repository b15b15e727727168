import type { MikroORM } from '@mikro-orm/postgresql';

/** Matches a URL with a comma between user and path, or in a parameter `host`: libpq accepts lists of hosts there. */
const SEVERAL_HOSTS = /^[^:]+:\/\/(?:[^/?#]*@)?[^/?#@]*,[^/?#@]*(?:[/?#]|$)|[?&]host=[^&]*(?:,|%2C)/i;

/** Whether the URL of a database names several hosts. */
export function namesSeveralHosts(url: string): boolean {
  return SEVERAL_HOSTS.test(url);
}

/**
 * Checks that the ORM connects to one host. The driver `pg` takes a list of hosts for the name of one, so that each
 * request would fail, as in an outage.
 *
 * @throws TypeError, which says what to use instead
 */
export function assertOneHost({ config }: MikroORM): void {
  const { clientUrl = '', host = '' } = config.getAll();
  if (!namesSeveralHosts(clientUrl) && !host.includes(',')) return;
  throw new TypeError(
    'The URL of the database names several hosts, but the driver pg connects to one: use an address that always ' +
      'leads to the primary, such as that of a proxy or a pooler, or a DNS name that a failover changes',
  );
}
