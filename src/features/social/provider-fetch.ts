import { JwtAllauthError } from '../../error.js';
import { socialError } from './social-errors.js';

/** How long a provider may take for one answer. */
export const PROVIDER_TIMEOUT_SECONDS = 5;

/** How long a discovery document is used. After that, it is used only as long as no newer one can be read. */
const DISCOVERY_SECONDS = 3600;

/** How long keys are used. If a token names a key that is not among them, they are downloaded earlier. */
const KEYS_SECONDS = 300;

/** How many times a minute keys are downloaded at most: a client could send tokens with ever new key ids. */
const DOWNLOADS_PER_MINUTE = 6;

/** Maximum length of an answer, in bytes. */
const MAX_BYTES = 1_048_576;

/** `fetch`, or the app's own in its place. */
export type Fetch = (url: string, options: RequestInit) => Promise<Response>;

/** The keys of a provider, as openid-client caches them. `uat`: when they were read, in seconds. */
export interface CachedKeys {
  readonly jwks: { readonly keys: readonly object[] };
  readonly uat: number;
}

/**
 * Sends the requests to one provider. Caches its discovery document and its keys. A provider that does not answer, or
 * answers with a server error, is `provider_unavailable`. A failure is not cached.
 */
export class ProviderFetch {
  #discovery: { readonly text: string; readonly readAt: number } | undefined;
  #reading: Promise<string> | undefined;
  #keys: CachedKeys | undefined;
  #keysUrl: string | undefined;
  #downloading: Promise<Response> | undefined;
  #downloads: number[] = [];

  constructor(
    private readonly fetch: Fetch,
    /** The current time in milliseconds. */
    private readonly now: () => number = Date.now,
  ) {}

  /** Sends a request for openid-client. @throws provider_unavailable */
  async send(url: string, options: RequestInit): Promise<Response> {
    if (url.includes('/.well-known/openid-configuration')) return this.#discover(url, options);
    if (url === this.#keysUrl) return (await this.#downloadOnce(url, options)).clone();
    return this.#send(url, options);
  }

  /** Names the URL of the keys, whose downloads are limited. */
  watchKeys(url: string | undefined): void {
    this.#keysUrl = url && new URL(url).href;
  }

  /** Removes a discovery document that cannot be used. */
  forgetDiscovery(): void {
    this.#discovery = undefined;
  }

  /**
   * The cached keys, for a new configuration of openid-client, which looks for an unknown key again after a minute at
   * the earliest. So that it does so at once, they seem to be a minute older than they are.
   */
  get keys(): CachedKeys | undefined {
    const keys = this.#keys;
    return keys && this.now() / 1000 - keys.uat < KEYS_SECONDS - 60 ? { ...keys, uat: keys.uat - 60 } : undefined;
  }

  /** Keeps the keys that openid-client has downloaded. @param cached its cache after the use of `keys` */
  keep(cached: { readonly jwks?: unknown; readonly uat?: number } | undefined, before: CachedKeys | undefined): void {
    if (!cached?.jwks || cached.uat === undefined || cached.uat === before?.uat) return;
    this.#keys = cached as CachedKeys;
  }

  /** Parallel sign-ins share one download. Otherwise the first ones after a start would exceed the limit. */
  #downloadOnce(url: string, options: RequestInit): Promise<Response> {
    if (this.#downloading) return this.#downloading;
    this.#countDownload();
    this.#downloading = this.#send(url, options).finally(() => {
      this.#downloading = undefined;
    });
    return this.#downloading;
  }

  /** @throws provider_unavailable if keys were downloaded too often within a minute */
  #countDownload(): void {
    this.#downloads = this.#downloads.filter((at) => this.now() - at < 60_000);
    if (this.#downloads.length >= DOWNLOADS_PER_MINUTE) throw socialError('provider_unavailable', { retryAfter: 60 });
    this.#downloads.push(this.now());
  }

  async #discover(url: string, options: RequestInit): Promise<Response> {
    const known = this.#discovery;
    const isFresh = known && this.now() - known.readAt < DISCOVERY_SECONDS * 1000;
    const text = isFresh ? known.text : await this.#readOnce(url, options).catch((error) => this.#outdated(error));
    return new Response(text, { headers: { 'content-type': 'application/json' } });
  }

  /** The outdated document, which is used for another minute. @throws provider_unavailable if none was ever read */
  #outdated(error: unknown): string {
    if (!this.#discovery) throw error instanceof JwtAllauthError ? error : unavailable(error);
    this.#discovery = { ...this.#discovery, readAt: this.now() - (DISCOVERY_SECONDS - 60) * 1000 };
    return this.#discovery.text;
  }

  /** Parallel sign-ins share one request. */
  #readOnce(url: string, options: RequestInit): Promise<string> {
    this.#reading ??= this.#read(url, options).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(url: string, options: RequestInit): Promise<string> {
    const response = await this.#send(url, options);
    if (response.status !== 200) throw socialError('provider_unavailable');
    const text = await response.text();
    JSON.parse(text); // a page of an error is not cached
    this.#discovery = { text, readAt: this.now() };
    return text;
  }

  async #send(url: string, options: RequestInit): Promise<Response> {
    try {
      const response = await this.fetch(url, options);
      if (response.status < 500 && response.status !== 429) return await readWhole(response);
      await response.body?.cancel().catch(() => {});
    } catch (cause) {
      throw unavailable(cause);
    }
    throw socialError('provider_unavailable');
  }
}

/** Reads the body of an answer. @throws Error if it is too long */
async function readWhole({ body, status, headers }: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > MAX_BYTES) throw new RangeError(`the answer of the provider is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(length > 0 ? Buffer.concat(chunks) : null, { status, headers });
}

function unavailable(cause: unknown): JwtAllauthError {
  return socialError('provider_unavailable', { cause });
}
