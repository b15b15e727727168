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

/**
 * Keeps the keys of all tabs in IndexedDB, as keys that cannot be exported. Each change is one transaction. Undefined
 * if the page has no IndexedDB or no WebCrypto, for example because it has no TLS.
 *
 * @param name identifies the server
 */
export function storedKeys(name: string): KeyRing | undefined {
  const { indexedDB } = globalThis as Partial<Browser>;
  if (!indexedDB || !globalThis.crypto?.subtle) return undefined;
  /** The keys that this tab has seen last. They replace a storage that is out of order. */
  let seen: Keys | undefined;

  const open = () =>
    new Promise<Database>((resolve, reject) => {
      const opening = indexedDB.open(NAME, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(NAME);
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });

  /** Opens the database for one transaction only, because an open one keeps users from clearing it. */
  const run = async (change?: (keys: Keys) => Keys): Promise<Keys> => {
    const database = await open();
    try {
      seen = await transact(database, name, change);
      return seen;
    } finally {
      database.close();
    }
  };

  return {
    create: () => WebKey.create(),
    update: (change) => inTime(run(change)),
    read: async () => {
      try {
        return await inTime(run().catch(() => run())); // a browser may lose its connection to the storage
      } catch (error) {
        if (seen) return seen;
        if (error instanceof SlowStorage) throw error;
        return {}; // out of order for good
      }
    },
  };
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

/** Rejects if the result does not come in time. */
function inTime<T>(result: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    result.then(resolve, reject);
    setTimeout(reject, TIMEOUT_MS, new SlowStorage('IndexedDB does not answer.'));
  });
}
