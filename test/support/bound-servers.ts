import { randomBytes, randomUUID } from 'node:crypto';
import type { Proof } from '../../src/dpop/proof.js';
import {
  type AuthHooks,
  type JwtAllauthError,
  RefreshToken,
  type RefreshTokenClass,
  RotationService,
  type Tokens,
} from '../../src/index.js';
import type { Dpop } from './bound-session-model.js';
import { ownContainer } from './containers.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import { AppRefreshToken, AppUser } from './users.js';

/** The tokens of an answer, or the code of an error. */
export type Outcome = Tokens | string;

/** One server: its DPOP, and its way to rotate. */
export interface BoundServer {
  readonly name: string;
  readonly dpop: Dpop;
  readonly app: TestApp;
  readonly rotation: RotationService;
}

const KINDS: [name: string, dpop: Dpop, refreshToken: RefreshTokenClass, hooks?: AuthHooks][] = [
  ['one statement', 'optional', RefreshToken],
  ['forUser', 'optional', AppRefreshToken],
  ['hook', 'off', RefreshToken, { beforeRefresh: async () => undefined }],
  ['one statement', 'off', RefreshToken],
  ['one statement', 'required', RefreshToken],
];

let proofs = 0;

/**
 * Several servers on one database, with one clock. They rotate in one statement, or more slowly with code of the app,
 * and have different values of DPOP: a session that meets them all sees the setting change as if between restarts.
 *
 * Requests call the services, so that thousands are cheap. Proofs are given as the verifier would return them.
 */
export class BoundServers {
  private constructor(readonly all: readonly BoundServer[]) {}

  /** @param count how many kinds of servers; the first two differ in their way to rotate */
  static async start(options: TestAppOptions = {}, count = KINDS.length): Promise<BoundServers> {
    const all: BoundServer[] = [];
    for (const [name, dpop, refreshToken, hooks] of KINDS.slice(0, count)) {
      const container = ownContainer('bound servers');
      const app = await createTestApp({
        ...options,
        database: all[0]?.app.database ?? options.database,
        settings: { ...options.settings, dpop, refreshToken },
        auth: { container, ...(hooks && { hooks }) },
      });
      app.clock.set(new Date(all[0]?.app.clock.now() ?? app.clock.now()));
      all.push({ name: `${name}, ${dpop}`, dpop, app, rotation: container.get(RotationService) });
    }
    return new BoundServers(all);
  }

  get first(): BoundServer {
    return this.all[0] as BoundServer;
  }

  /** Milliseconds since the epoch. */
  get now(): number {
    return this.first.app.clock.now();
  }

  advance(seconds: number): void {
    for (const { app } of this.all) app.clock.advance(seconds);
  }

  /** A new proof by a key, as a request of now has it. */
  proofBy(thumbprint: string): Proof {
    const id = randomBytes(32);
    id.writeUIntBE((++proofs << 3) & 0xffffff, 0, 3); // no two have the same stamp
    return { thumbprint, id: id.toString('base64url'), expiresAt: this.now + 60_000 };
  }

  /** Opens a session of a new user, bound to a key if one is given. */
  async open(thumbprint: string | undefined): Promise<Tokens> {
    const { app } = this.first;
    const user = Object.assign(new AppUser(), { email: `${randomUUID()}@example.com`, passwordHash: null });
    await app.database.pool.query('insert into app_user (id, email) values ($1, $2)', [user.id, user.email]);
    const client = thumbprint === undefined ? undefined : { proof: this.proofBy(thumbprint) };
    return app.auth.sessions.open(user, { client });
  }

  async refresh(token: string, proof?: Proof, { rotation } = this.first): Promise<Outcome> {
    try {
      return await rotation.rotate(token, { proof });
    } catch (error) {
      return (error as JwtAllauthError).code;
    }
  }

  async close(): Promise<void> {
    for (const { app } of this.all.toReversed()) await app.close();
  }
}
