import 'reflect-metadata';
import { hash, verify } from '@node-rs/argon2';
import { IsEmail, IsString } from 'class-validator';
import jwt, { type JwtPayload } from 'jsonwebtoken';
import pg from 'pg';
import {
  type Action,
  Authorized,
  Body,
  CurrentUser,
  createExpressServer,
  Get,
  HttpError,
  JsonController,
  Post,
  UnauthorizedError,
} from 'routing-controllers';
import { bearers, key } from './bearer.js';
import { claimsOf } from './claims.js';
import { ARGON2, DATABASE_URL, PASSWORD, PERMISSIONS, POOL, SESSIONS, serve } from './serve.js';

/**
 * Hand-written code of a good engineer: a checker of a few lines, and the rotation as one prepared statement. Like the
 * library, it has routing-controllers with its validation, two HS256 signatures and one verification for each refresh.
 * Unlike the library, it stores no device, address or origin, has no code of the app between reading the user and the
 * rotation, no grace period, no detection of replays, and no events.
 */
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: POOL });
await pool.query(`
  create table if not exists users (id uuid primary key, email text unique, password_hash text, permissions jsonb,
    role int not null default 0, email_verified boolean not null default true, is_active boolean not null default true);
  create table if not exists refresh_tokens (jti uuid primary key, user_id uuid not null references users on delete cascade,
    expires_at timestamptz not null);
  create index if not exists refresh_tokens_user on refresh_tokens (user_id)`);

class LoginInput {
  @IsEmail() email!: string;
  @IsString() password!: string;
}

class RefreshInput {
  @IsString() refresh!: string;
}

@JsonController('/profile')
class ProfileController {
  @Authorized()
  @Get('/id')
  id(@CurrentUser() user: JwtPayload) {
    return { id: user.sub, permissions: user['permissions'] };
  }
}

@JsonController('/auth')
class AuthController {
  @Post('/login')
  async login(@Body() { email, password }: LoginInput) {
    const { rows } = await pool.query({ name: 'user', text: 'select * from users where email = $1', values: [email] });
    if (!rows[0] || !(await verify(rows[0].password_hash, password))) throw new UnauthorizedError();
    const jti = crypto.randomUUID();
    await pool.query({ name: 'open', text: OPEN, values: [jti, rows[0].id] });
    return tokens(rows[0], jti);
  }

  @Post('/refresh')
  async refresh(@Body() { refresh }: RefreshInput) {
    const { jti, token_type } = decode(refresh);
    if (token_type !== 'refresh') throw new UnauthorizedError();
    const next = crypto.randomUUID();
    const { rows } = await pool.query({ name: 'rotate', text: ROTATE, values: [jti, next] });
    if (!rows[0]) throw new UnauthorizedError();
    return tokens(rows[0], next);
  }
}

const OPEN = `insert into refresh_tokens values ($1, $2, now() + interval '14 days')`;
const ROTATE = `
  with consumed as (delete from refresh_tokens where jti = $1 and expires_at > now() returning user_id),
  issued as (insert into refresh_tokens select $2, user_id, now() + interval '14 days' from consumed)
  select u.* from users u join consumed on u.id = consumed.user_id where u.is_active`;

function tokens(user: { id: string; permissions: string[] }, jti: string) {
  const access = { ...claimsOf(user.id), permissions: user.permissions };
  const refresh = { ...access, jti, token_type: 'refresh', exp: access.iat + 14 * 86_400 };
  return { access: sign(access), refresh: sign(refresh) };
}

function sign(claims: object): string {
  return jwt.sign(claims, key, { algorithm: 'HS256' });
}

function decode(token: string): JwtPayload {
  try {
    return jwt.verify(token, key, { algorithms: ['HS256'] }) as JwtPayload;
  } catch {
    throw new HttpError(401);
  }
}

const users = Array.from({ length: SESSIONS }, (_, index) => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, // the same in each process of a cluster
  index,
  jti: crypto.randomUUID(),
}));
const passwordHash = await hash(PASSWORD, ARGON2);
for (const { id, index, jti } of users) {
  await pool.query('insert into users values ($1, $2, $3, $4) on conflict do nothing', [
    id,
    `user${index}@example.com`,
    passwordHash,
    JSON.stringify(PERMISSIONS),
  ]);
  await pool.query(OPEN, [jti, id]);
}

const app = createExpressServer({
  controllers: [ProfileController, AuthController],
  authorizationChecker: ({ request }: Action) => {
    request.user = decode(request.headers.authorization?.slice(7) ?? '');
    return true;
  },
  currentUserChecker: ({ request }: Action) => request.user,
});
serve(app, {
  get: { path: '/profile/id', users: bearers() },
  signIn: {
    path: '/auth/login',
    bodies: users.map(({ index }) => ({ email: `user${index}@example.com`, password: PASSWORD })),
  },
  refresh: {
    path: '/auth/refresh',
    contentType: 'application/json',
    body: '{"refresh":"$"}',
    field: 'refresh',
    tokens: users.map(({ id, jti }) => tokens({ id, permissions: PERMISSIONS }, jti).refresh),
  },
});
