import type { KeyRing, Keys } from './key-ring.js';
import { WebKey } from './web-key.js';

type Listener = ((event: never) => void) | null;

/** What is used of IndexedDB, which Node does not have. */
interface Database {
  transaction(store: string, mode: string, options?: { readonly durability: 'strict' }): Transaction;
  createObjectStore(name: string): unknown;
  close(): void;
}
interface Transaction {
  readonly error: unknown;
  oncomplete: Listener;
  onabort: Listener;
  abort(): void;
  objectStore(name: string): {
    get(key: string): Asked<StoredKeys | undefined>;
    put(value: Keys, key: string): unknown;
  };
}
interface Asked<Result> {
  readonly result: Result;
  readonly error: unknown;
  onsuccess: Listener;
  onerror: Listener;
}
interface Opening extends Asked<Database> {
  onupgradeneeded: Listener;
}
interface Browser {
  readonly indexedDB: { open(name: string, version: number): Opening };
}
/** The keys as IndexedDB returns them: without methods. */
type StoredKeys = Omit<Keys, 'current' | 'next'> & { readonly [slot in 'current' | 'next']?: WebKey };

/** The name of the database, and of its only store. */
const NAME = 'jwt-allauth';

/** Time after which the storage counts as out of order, in milliseconds. Some browsers do not answer for minutes. */
const TIMEOUT_MS = 2000;

/** The same, if the storage did not answer the last time, so that a page does not wait for it at each request. */
const NEXT_TIMEOUT_MS = 100;

/**
 * Keeps the keys of all tabs in IndexedDB, as keys that cannot be exported. Each change is one transaction. Undefined
 * if the page has no IndexedDB or no WebCrypto, for example because it has no TLS.
 *
 * @param name identifies the server
 */
export function storedKeys(name: string): KeyRing | undefined {
  const { indexedDB } = globalThis as Partial<Browser>;
  return indexedDB && globalThis.crypto?.subtle && new StoredKeyRing(indexedDB, name);
}

class StoredKeyRing implements KeyRing {
  readonly #factory: Browser['indexedDB'];
  readonly #name: string;
  /** The keys that this tab has seen last. They replace a storage that is out of order. */
  #seen: Keys | undefined;
  #timeout = TIMEOUT_MS;

  constructor(factory: Browser['indexedDB'], name: string) {
    this.#factory = factory;
    this.#name = name;
  }

  create(): Promise<WebKey> {
    return WebKey.create();
  }

  async read(): Promise<Keys> {
    try {
      // The second attempt is for browsers that have lost their connection to the storage.
      return await this.#inTime(this.#run().catch(() => this.#run()));
    } catch (error) {
      if (this.#seen) return this.#seen;
      if (error instanceof SlowStorage) throw error;
      return {}; // out of order for good
    }
  }

  update(change: (keys: Keys) => Keys): Promise<Keys> {
    return this.#inTime(this.#run(change));
  }

  /** Opens the database for one transaction only, because an open one keeps users from clearing it. */
  async #run(change?: (keys: Keys) => Keys): Promise<Keys> {
    const database = await this.#open();
    try {
      this.#seen = await transact(database, this.#name, change);
      return this.#seen;
    } finally {
      database.close();
    }
  }

  #open(): Promise<Database> {
    return new Promise((resolve, reject) => {
      const opening = this.#factory.open(NAME, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(NAME);
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
  }

  #inTime(result: Promise<Keys>): Promise<Keys> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#timeout = NEXT_TIMEOUT_MS;
        reject(new SlowStorage('IndexedDB does not answer.'));
      }, this.#timeout);
      const end = () => {
        clearTimeout(timer);
        this.#timeout = TIMEOUT_MS;
      };
      result.finally(end).then(resolve, reject);
    });
  }
}

/** The storage did not answer in time. */
class SlowStorage extends Error {}

/** One transaction. Without a `change` it only reads. */
function transact(database: Database, name: string, change: ((keys: Keys) => Keys) | undefined): Promise<Keys> {
  const transaction = database.transaction(NAME, change ? 'readwrite' : 'readonly', { durability: 'strict' });
  const store = transaction.objectStore(NAME);
  let keys: Keys = {};
  let failure: unknown;
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(keys);
    transaction.onabort = () => reject(failure ?? transaction.error);
    const asked = store.get(name);
    asked.onsuccess = () => {
      const { current, next, ...rest } = asked.result ?? {};
      keys = { current: WebKey.from(current), next: WebKey.from(next), ...rest };
      if (!change) return;
      try {
        keys = change(keys);
        store.put(keys, name);
      } catch (error) {
        // Some browsers cannot store keys in private windows.
        failure = error;
        transaction.abort();
      }
    };
  });
}
