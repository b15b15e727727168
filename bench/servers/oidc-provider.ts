import { createSecretKey } from 'node:crypto';
import { type Adapter, type AdapterPayload, type Client, Provider } from 'oidc-provider';
import pg from 'pg';
import { DATABASE_URL, PERMISSIONS, POOL, SECRET, SESSIONS, serve } from './serve.js';

/** oidc-provider on PostgreSQL: a public client that rotates refresh tokens for JWT access tokens (HS256). */
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: POOL });
await pool.query(`
  create table users (id uuid primary key, email text unique, is_active boolean not null default true);
  create table oidc (model text, id text, payload jsonb not null, grant_id text, uid text, user_code text,
    expires_at timestamptz, consumed_at timestamptz, primary key (model, id));
  create index on oidc (grant_id)`);

/** Stores everything in one table; each statement is prepared once per connection. */
class PostgresAdapter implements Adapter {
  constructor(private readonly model: string) {}

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number) {
    const { grantId, uid, userCode } = payload;
    const values = [this.model, id, JSON.stringify(payload), grantId, uid, userCode, expiresIn];
    await pool.query({ name: 'upsert', text: UPSERT, values });
  }

  find(id: string) {
    return this.findBy('id', id);
  }

  findByUid(uid: string) {
    return this.findBy('uid', uid);
  }

  findByUserCode(userCode: string) {
    return this.findBy('user_code', userCode);
  }

  async consume(id: string) {
    const text = 'update oidc set consumed_at = now() where model = $1 and id = $2';
    await pool.query({ name: 'consume', text, values: [this.model, id] });
  }

  async destroy(id: string) {
    await pool.query('delete from oidc where model = $1 and id = $2', [this.model, id]);
  }

  async revokeByGrantId(grantId: string) {
    await pool.query({ name: 'revoke', text: 'delete from oidc where grant_id = $1', values: [grantId] });
  }

  private async findBy(column: 'id' | 'uid' | 'user_code', value: string): Promise<AdapterPayload | undefined> {
    const text = `select payload, extract(epoch from consumed_at)::int as consumed from oidc
      where model = $1 and ${column} = $2 and (expires_at is null or expires_at > now())`;
    const { rows } = await pool.query({ name: `find by ${column}`, text, values: [this.model, value] });
    return rows[0] && { ...rows[0].payload, ...(rows[0].consumed && { consumed: rows[0].consumed }) };
  }
}

const UPSERT = `
  insert into oidc (model, id, payload, grant_id, uid, user_code, expires_at)
  values ($1, $2, $3, $4, $5, $6, now() + $7::int * interval '1 second')
  on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
    user_code = excluded.user_code, expires_at = excluded.expires_at`;

const CLIENT = 'bench';
const RESOURCE = 'urn:bench:api';
const SCOPE = 'api'; // without `openid`, so that a refresh does not issue an ID token
const key = createSecretKey(SECRET, 'utf8');

const provider = new Provider('http://127.0.0.1', {
  adapter: PostgresAdapter,
  clients: [
    {
      client_id: CLIENT,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://bench.example/callback'],
    },
  ],
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: SCOPE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'HS256', key } } }),
    },
  },
  ttl: { AccessToken: 3600, Grant: 14 * 86_400, RefreshToken: 14 * 86_400 },
  extraTokenClaims: () => ({ permissions: PERMISSIONS }),
  findAccount: async (_context, id) => {
    const { rows } = await pool.query({ name: 'user', text: 'select * from users where id = $1', values: [id] });
    return rows[0]?.is_active ? { accountId: id, claims: () => ({ sub: id }) } : undefined;
  },
});

/** Creates a user and returns a refresh token as after a sign-in. */
async function openSession(email: string): Promise<string> {
  const accountId = crypto.randomUUID();
  await pool.query('insert into users values ($1, $2)', [accountId, email]);
  const grant = new provider.Grant({ clientId: CLIENT, accountId });
  grant.addResourceScope(RESOURCE, SCOPE);
  const client = (await provider.Client.find(CLIENT)) as Client;
  const shared = { client, accountId, resource: RESOURCE, scope: SCOPE, gty: 'authorization_code' };
  return new provider.RefreshToken({ ...shared, grantId: await grant.save() }).save();
}

const tokens = [];
for (let index = 0; index < SESSIONS; index++) tokens.push(await openSession(`user${index}@example.com`));

const body = `grant_type=refresh_token&client_id=${CLIENT}&refresh_token=$&resource=${encodeURIComponent(RESOURCE)}`;
const contentType = 'application/x-www-form-urlencoded';
serve(provider.callback(), { refresh: { path: '/token', contentType, body, field: 'refresh_token', tokens } });
