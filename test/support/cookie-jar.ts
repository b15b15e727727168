import { secrets } from './secrets.js';

interface JarCookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly path: string;
  readonly isPartitioned: boolean;
  readonly order: number;
}

/** The cookies of one browser on one host, stored and sent by RFC 6265 §5.3 and §5.4: several can have one name. */
export class CookieJar {
  readonly #cookies = new Map<string, JarCookie>();
  #count = 0;

  /** Stores the cookies of an answer. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) this.set(line);
  }

  /** Stores one `Set-Cookie` line from any sender. */
  set(line: string): void {
    const [pair = '', ...attributes] = line.split('; ');
    const [name = '', value = ''] = pair.split(/=(.*)/);
    const attribute = (key: string) => attributes.find((each) => each.startsWith(`${key}=`))?.slice(key.length + 1);
    const [domain = '', path = '/'] = [attribute('Domain'), attribute('Path')];
    const isPartitioned = attributes.includes('Partitioned');
    if (name.startsWith('__Host-') && (domain || path !== '/')) return;
    const key = [name, domain.toLowerCase(), path, isPartitioned].join(' ');
    const order = this.#cookies.get(key)?.order ?? ++this.#count;
    secrets.add(value);
    if (attribute('Max-Age') === '0') this.#cookies.delete(key);
    else this.#cookies.set(key, { name, value, domain, path, isPartitioned, order });
  }

  /** The header for a path: longer paths first, then older cookies. */
  headerFor(path: string): Record<string, string> {
    const sent = this.all.filter((cookie) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')));
    sent.sort((a, b) => b.path.length - a.path.length || a.order - b.order);
    return sent.length > 0 ? { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') } : {};
  }

  get all(): JarCookie[] {
    return [...this.#cookies.values()];
  }
}
