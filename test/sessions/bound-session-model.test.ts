import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Proof } from '../../src/dpop/proof.js';
import type { Tokens } from '../../src/index.js';
import { type BoundServer, BoundServers } from '../support/bound-servers.js';
import { BoundSessionModel, LIMITS, type ModelProof, type ModelToken } from '../support/bound-session-model.js';
import { claimsOf } from '../support/race.js';

/** The thumbprints of the owner and of a thief, who never has the key of the other. */
const [OWNER, THIEF] = ['owner', 'thief'].map((name) => name.padEnd(43, '-')) as [string, string];

let servers: BoundServers;
beforeAll(async () => {
  const { idle, absolute, grace } = LIMITS;
  const settings = { refreshTokenLifetime: idle, sessionLifetime: absolute, refreshReuseGrace: grace };
  servers = await BoundServers.start({ settings });
});
afterAll(() => servers.close());

/** The row of a session. */
type Row = Readonly<Record<string, unknown>>;

/** One session of the real servers, with all tokens and proofs. */
interface Real {
  readonly session: string;
  /** The tokens that were issued, in the places of the model. */
  readonly tokens: string[];
  readonly proofs: Proof[];
  /** The states of the row that a backup has, with those of the model. */
  readonly backups: { row: BoundSessionModel['row']; stored: Row }[];
  /** The tokens that were exchanged since the database last went back to a backup. */
  readonly exchanged: Set<number>;
}

async function rowOf({ session }: Pick<Real, 'session'>): Promise<Row> {
  const { rows } = await servers.first.app.database.pool.query('select * from auth_session where id = $1', [session]);
  return rows[0];
}

async function assertSame(model: BoundSessionModel, real: Real): Promise<void> {
  const { jti, key_thumbprint, enabled, expires_at } = await rowOf(real);
  const isLive = enabled && (expires_at as Date).getTime() > servers.now;
  expect({ jti, key: key_thumbprint, isLive }).toEqual({
    jti: claimsOf(real.tokens[model.row.live] as string).jti,
    key: model.row.key ?? null,
    isLive: model.isLive,
  });
}

/** Refreshes with one token, and compares the answer and the row with the model. */
async function refresh(
  model: BoundSessionModel,
  real: Real,
  { place, server, proof, ahead }: { place: number; server: BoundServer; proof?: ModelProof; ahead: number },
) {
  const token = model.issued[place] as ModelToken;
  const before = await rowOf(real);
  const expected = model.refresh(place, server.dpop, proof, model.now + ahead);
  server.app.clock.advance(ahead);
  const answer = await servers.refresh(real.tokens[place] as string, proof && real.proofs[proof.id], server);
  server.app.clock.advance(-ahead);
  const after = await rowOf(real);
  expect(Number(after['rotated_at'])).toBeGreaterThanOrEqual(Number(before['rotated_at']));
  if (after['jti'] !== before['jti']) {
    expect(real.exchanged, 'a token is exchanged once').not.toContain(place);
    real.exchanged.add(place);
  }
  if (typeof expected === 'string') {
    expect(answer, server.name).toBe(expected);
  } else {
    if (typeof answer === 'string') throw new Error(`${server.name}: ${answer}, expected the token ${expected}`);
    real.tokens[expected] ??= answer.refresh;
    const { key, iat, exp } = model.issued[expected] as ModelToken;
    const cnf = key === undefined ? undefined : { jkt: key };
    expect(claimsOf(answer.access).cnf).toEqual(cnf);
    const { jti } = claimsOf(real.tokens[expected] as string);
    expect(claimsOf(answer.refresh)).toMatchObject({ jti, iat, exp, ...(cnf && { cnf }) });
    expect(claimsOf(answer.refresh).cnf).toEqual(cnf);
  }
  if (token.key !== undefined && proof?.key !== token.key && expected !== 'session_expired')
    expect(await rowOf(real)).toEqual(before); // a bound token without its key changes nothing
}

type Command = fc.AsyncCommand<BoundSessionModel, Real>;

function step(name: string, run: (model: BoundSessionModel, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      await assertSame(model, real);
    },
    toString: () => name,
  };
}

const back = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.nat(4) },
);
const which = fc.record({
  back,
  server: fc.nat(4),
  /** By how many seconds the clock of the server differs from those of the others. */
  ahead: fc.constantFrom(0, 0, 0, 5, -5),
  by: fc.oneof(
    { weight: 5, arbitrary: fc.constant(OWNER) },
    { weight: 2, arbitrary: fc.constant(THIEF) },
    { weight: 2, arbitrary: fc.constantFrom('none', 'used') },
  ),
});

/** A new proof, a copy of a proof that was sent with the session before, or none. */
function proofOf(by: string, back: number, real: Real): ModelProof | undefined {
  if (by === 'none') return undefined;
  const fresh = real.proofs.map((proof, id) => ({ ...proof, id })).filter(({ expiresAt }) => expiresAt >= servers.now);
  const copied = by === 'used' ? fresh[fresh.length - 1 - (back % Math.max(1, fresh.length))] : undefined;
  if (by === 'used') return copied && { id: copied.id, key: copied.thumbprint };
  return { id: real.proofs.push(servers.proofBy(by)) - 1, key: by };
}

const refreshing = which.map(({ back, server, ahead, by }) =>
  step(`refresh(${back}, ${by.replaceAll('-', '')}, server ${server}, ${ahead} s ahead)`, async (model, real) => {
    const place = Math.max(0, model.issued.length - 1 - back);
    const proof = proofOf(by, back, real);
    await refresh(model, real, { place, server: servers.all[server] as BoundServer, proof, ahead });
  }),
);

const waitingFor = (...durations: number[]) =>
  fc.constantFrom(...durations).map((seconds) =>
    step(`wait(${seconds})`, async (model) => {
      model.now += seconds;
      servers.advance(seconds);
    }),
  );
const waiting = waitingFor(1, 9, 10, 11, 60, 3600, 86_400, 7 * 86_400);

const provingAgain = fc.constant(
  step('authenticate again', async (_model, { session }) => {
    const sql = `update auth_session set auth_time = $2, amr = array['pwd'] where id = $1`;
    await servers.first.app.database.pool.query(sql, [session, new Date(servers.now)]);
  }),
);

const signingOut = back.map((back) =>
  step(`logout(${back})`, async (model, real) => {
    const place = Math.max(0, model.issued.length - 1 - back);
    const { app } = servers.first;
    const client = Object.assign(app.client(), { refreshToken: real.tokens[place] });
    expect((await client.logout()).status).toBe(model.logOut(place));
  }),
);

const backingUp = fc.constant(
  step('back up', async (model, real) => {
    real.backups.push({ row: model.row, stored: await rowOf(real) });
  }),
);

/** Sets the row back to an earlier state, like a failover to a standby that lags. */
const restoring = fc.nat(3).map((back) =>
  step(`restore(${back})`, async (model, real) => {
    const { row, stored } = real.backups.at(-1 - (back % real.backups.length)) as Real['backups'][number];
    model.row = row;
    real.exchanged.clear();
    const sql = `update auth_session s set jti = b.jti, previous_jti = b.previous_jti, rotated_at = b.rotated_at,
      expires_at = b.expires_at, enabled = b.enabled, key_thumbprint = b.key_thumbprint, proofs = b.proofs
      from jsonb_to_record($2) b(jti uuid, previous_jti uuid, rotated_at timestamptz, expires_at timestamptz,
        enabled boolean, key_thumbprint text, proofs bigint[]) where s.id = $1`;
    const { pool } = servers.first.app.database;
    await pool.query(sql, [real.session, stored]);
    if (row.isEnabled) await pool.query('delete from auth_revocation where session = $1', [real.session]);
  }),
);

/** A command is as frequent as it is often in this list. */
const commands = [
  ...Array.from({ length: 14 }, () => refreshing),
  ...Array.from({ length: 5 }, () => waiting),
  provingAgain,
  signingOut,
  backingUp,
  restoring,
];

/** Sequences in which the database often loses rotations, some of them of one second. */
const failovers = [
  ...Array.from({ length: 8 }, () => refreshing),
  waitingFor(1, 2, 11),
  backingUp,
  restoring,
  restoring,
];

/** Runs steps against a new session and its model. */
async function play(steps: Iterable<Command>, key: string | undefined): Promise<void> {
  const { refresh: token } = await servers.open(key);
  const model = new BoundSessionModel(servers.now / 1000, key);
  const real: Real = {
    session: claimsOf(token).session,
    tokens: [token],
    proofs: [],
    backups: [],
    exchanged: new Set(),
  };
  real.backups.push({ row: model.row, stored: await rowOf(real) });
  await fc.asyncModelRun(() => ({ model, real }), steps);
}

async function assertSameAsModel(ofSteps: (typeof refreshing)[], numRuns: number): Promise<void> {
  const steps = fc.commands(ofSteps, { maxCommands: 30, size: 'max' });
  const key = fc.constantFrom(undefined, OWNER);
  await fc.assert(fc.asyncProperty(steps, key, play), { numRuns });
}

test('bound sessions behave like the model of their rules in every sequence of steps, on every kind of server', async () => {
  await assertSameAsModel(commands, 50);
});

test('a database that loses rotations again and again exchanges each token once, whatever the clocks of servers say', async () => {
  await assertSameAsModel(failovers, 100);
});

test('parallel refreshes on all kinds of servers get one token, none is refused, and the first ones bind the session', async () => {
  for (const key of [undefined, OWNER]) {
    let token = (await servers.open(key)).refresh;
    for (let round = 0; round < 3; round++) {
      // A server with DPOP=off does not bind, and then a server that does comes too late for this generation.
      const allowed = servers.all.filter(({ dpop }) => dpop !== 'off' || claimsOf(token).cnf);
      const tabs = Array.from({ length: 20 }, (_, tab) => allowed[tab % allowed.length]);
      const answers = await Promise.all(tabs.map((server) => servers.refresh(token, servers.proofBy(OWNER), server)));
      const live = answers.map((answer) => (typeof answer === 'string' ? answer : claimsOf(answer.refresh)));
      expect(new Set(live.map(({ jti }) => jti)).size).toBe(1);
      expect(live.every(({ cnf }) => cnf?.jkt === OWNER)).toBe(true);
      token = (answers[0] as Tokens).refresh;
      servers.advance(3600);
    }
  }
});
