import { randomUUID } from 'node:crypto';
import { MikroORM } from '@mikro-orm/postgresql';
import { Authorized, CurrentUser, createExpressServer, Get, JsonController } from 'routing-controllers';
import { createJwtAllauth, type Principal } from '../../src/index.js';
import { AppUser, options } from './app-orm.js';
import { ENCRYPTION_KEY, PERMISSIONS, SECRET, serve } from './serve.js';

const imported = performance.now();

@JsonController('/profile')
class ProfileController {
  @Authorized()
  @Get('/id')
  id(@CurrentUser() user: Principal) {
    return { id: user.id, permissions: PERMISSIONS };
  }
}

/**
 * An app with this library, as it starts in production: its database exists and it can send mails. `orm.ts` is the same
 * app without the library. BENCH_VARIANT is the number of access tokens.
 */
const orm = await MikroORM.init(options);
const settings = {
  secretKey: SECRET,
  encryptionKeys: [ENCRYPTION_KEY],
  publicUrl: 'https://app.example.com',
  smtpUrl: 'smtp://127.0.0.1',
  emailFrom: 'app@example.com',
  refreshTokenAsCookie: false,
};
const auth = await createJwtAllauth({ orm, settings });
const app = createExpressServer(auth.serverOptions({ controllers: [ProfileController] }));
const created = performance.now();

const now = Math.floor(Date.now() / 1000);
const session = { openedAt: now, issuedAt: now, expiresAt: now + 86_400, amr: [], authTime: now, claims: {} };
const users: Record<string, string>[] = [];
while (users.length < Number(process.env['BENCH_VARIANT'])) {
  const own = { ...session, id: randomUUID(), jti: randomUUID() };
  const prepared = await auth.tokens.prepare(Object.assign(new AppUser(), { id: randomUUID() }), { session: own });
  users.push({ authorization: `Bearer ${auth.tokens.sign(prepared, own).access}` });
}
serve(app, { get: { path: '/profile/id', users }, start: { imported, created } });
