import { JwtAllauthError } from '../../src/index.js';
import { CheapHasher } from './cheap-hasher.js';
import type { TestApp } from './test-app.js';
import { type Answer, PASSWORD } from './test-client.js';
import { AppUser } from './users.js';

let hash: Promise<string> | undefined;

/** A user with the usual password, and no session yet. */
export interface Person {
  readonly id: string;
  readonly email: string;
  /** The challenge of a sign-in with the password. */
  login(): Promise<string>;
  /** The challenge of a sign-in by the app's own code. */
  ticket(): Promise<string>;
  /** Ids of the live sessions. */
  live(): Promise<string[]>;
  /** The rows of the challenges. */
  challenges(): Promise<{ hash: string; attempts: number }[]>;
}

/** Creates a user by SQL. */
export async function createPerson(app: TestApp, more: Partial<AppUser> = {}): Promise<Person> {
  hash ??= new CheapHasher().hash(PASSWORD);
  const email = `${crypto.randomUUID()}@example.com`;
  const user = Object.assign(new AppUser(), { email, passwordHash: await hash, emailVerified: true, ...more });
  await app.orm.em.fork().persist(user).flush();
  const { id } = user;
  const rows = async (sql: string, values: unknown[]) => (await app.database.pool.query(sql, values)).rows;
  const liveSql = 'select id from auth_session where user_id = $1 and enabled and expires_at > $2 order by id';
  return {
    id,
    email,
    login: async () => challengeOf(await app.client().login(email)),
    ticket: () => challengeBy(() => app.auth.signIn({ id }, { method: 'ticket' })),
    live: async () => (await rows(liveSql, [id, new Date(app.clock.now())])).map((row) => row.id),
    challenges: () => rows('select hash, attempts from auth_challenge where user_id = $1 order by expires_at', [id]),
  };
}

/** The challenge in an answer. @throws Error if it is no challenge */
export function challengeOf({ status, body }: Answer): string {
  if (status !== 401 || typeof body.challenge !== 'string') throw new Error(`${status} ${body.code} is no challenge`);
  return body.challenge;
}

/** The challenge that some work throws. @throws Error if it throws none */
export async function challengeBy(work: () => Promise<unknown>): Promise<string> {
  const error = await work().catch((thrown: unknown) => thrown);
  const { challenge } = error instanceof JwtAllauthError ? (error.toJSON() as { challenge?: unknown }) : {};
  if (typeof challenge !== 'string') throw new Error(`${error} is no challenge`);
  return challenge;
}
