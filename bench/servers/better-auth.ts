import { hash, verify } from '@node-rs/argon2';
import { betterAuth } from 'better-auth';
import { makeSignature } from 'better-auth/crypto';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import express from 'express';
import pg from 'pg';
import { ARGON2, DATABASE_URL, PASSWORD, PERMISSIONS, POOL, SECRET, SESSIONS, serve, USERS } from './serve.js';

/**
 * better-auth on Express 5. With `scrypt` in BENCH_VARIANT it uses its own password hash instead of argon2id. With
 * `cache` it caches the session in a signed cookie for five minutes instead of reading it for each request. With
 * `extend` each request extends the session, which is what better-auth has in place of a refresh: it stores a new end,
 * and the token stays the same. By default it does so once a day.
 */
const variant = process.env['BENCH_VARIANT'] ?? '';
const cached = variant.includes('cache');
const origin = 'http://127.0.0.1'; // http, so that cookies need no TLS

const argon2id = {
  hash: (password: string) => hash(password, ARGON2),
  verify: (data: { hash: string; password: string }) => verify(data.hash, data.password),
};
const auth = betterAuth({
  baseURL: origin,
  secret: SECRET,
  database: new pg.Pool({ connectionString: DATABASE_URL, max: POOL }),
  emailAndPassword: { enabled: true, ...(variant.includes('scrypt') ? {} : { password: argon2id }) },
  session: {
    cookieCache: { enabled: cached, maxAge: 300 },
    ...(variant.includes('extend') && { updateAge: 0 }),
  },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
});
await (await getMigrations(auth.options)).runMigrations();

const { authCookies, internalAdapter, password, secret } = await auth.$context;

/** Creates users that share one password hash, because a hash for each would take long. */
async function createUsers() {
  const passwordHash = await password.hash(PASSWORD);
  const users = [];
  for (let index = 0; index < SESSIONS; index++) {
    const input = { email: `user${index}@example.com`, name: `User ${index}`, emailVerified: true };
    const user = await internalAdapter.createUser(input, { method: 'email-password' });
    const account = { userId: user.id, accountId: user.id, providerId: 'credential', password: passwordHash };
    await internalAdapter.linkAccount(account);
    users.push(user);
  }
  return users;
}

/** Opens a session and returns its cookies as a browser would send them. */
async function openSession(userId: string): Promise<{ cookie: string }> {
  const { token } = await internalAdapter.createSession(userId);
  const signed = encodeURIComponent(`${token}.${await makeSignature(token, secret)}`);
  const cookie = `${authCookies.sessionToken.name}=${signed}`;
  if (!cached) return { cookie };
  const { headers } = await auth.api.getSession({ headers: new Headers({ cookie }), returnHeaders: true });
  return { cookie: [cookie, ...headers.getSetCookie().map((line) => line.split(';')[0])].join('; ') };
}

const users = await createUsers();
const sessions = [];
for (let index = 0; index < USERS; index++) sessions.push(await openSession(users[index % SESSIONS]?.id ?? ''));

const app = express();
app.all('/api/auth/{*any}', toNodeHandler(auth));
app.get('/profile/id', async (request, response) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  if (session) response.json({ id: session.user.id, permissions: PERMISSIONS });
  else response.sendStatus(401);
});

serve(app, {
  get: { path: '/profile/id', users: sessions },
  signIn: {
    path: '/api/auth/sign-in/email',
    headers: { origin },
    bodies: users.map(({ email }) => ({ email, password: PASSWORD })),
  },
});
