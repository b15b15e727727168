import { MagicLinkStore } from '../../src/features/magic-link/magic-link-store.js';
import { MailedCodes } from '../../src/features/magic-link/mailed-codes.js';
import { createRandomKey, hashOfRandomKey } from '../../src/secrets/random-key.js';
import { codesOf } from './codes.module.js';
import type { TestApp } from './test-app.js';

/** The secrets of a request for a sign-in by mail. */
export interface MailedSecrets {
  readonly request: string;
  readonly key: string;
  readonly code: string;
}

/**
 * Stores requests as the library does, without mails: one for each user, or for each address without one. The app has
 * `codes.module.ts` and `jwt-allauth/magic-link`.
 */
export async function createMailedSignIns(
  app: TestApp,
  whose: readonly { readonly id: string | null; readonly email: string }[],
): Promise<MailedSecrets[]> {
  const { kernel } = codesOf(app.auth);
  const magicLinkStore = new MagicLinkStore(kernel);
  const codes = new MailedCodes({ ...kernel, magicLinkStore });
  const expiresAt = new Date(app.clock.now() + 600_000);
  return kernel.database.transaction(async (em) => {
    const made: MailedSecrets[] = [];
    for (const { id, email } of whose) {
      const [request, key] = [createRandomKey(), createRandomKey()];
      const { code, codeHash } = codes.create(hashOfRandomKey(request));
      const hashes = { requestHash: hashOfRandomKey(request), keyHash: hashOfRandomKey(key), codeHash };
      await magicLinkStore.replace({ ...hashes, email, user: id, credentialEpoch: 0, expiresAt }, em);
      made.push({ request, key, code });
    }
    return made;
  });
}

/** Makes users with a confirmed address and no password, by SQL. */
export async function createMailboxes({ database: { pool } }: TestApp, count: number) {
  const { rows } = await pool.query(
    `insert into app_user (id, email, permissions, email_verified, password_hash)
    select id, id || '@example.com', '[]', true, null from (select gen_random_uuid() as id from generate_series(1, $1)) n
    returning id, email`,
    [count],
  );
  return rows as { readonly id: string; readonly email: string }[];
}
