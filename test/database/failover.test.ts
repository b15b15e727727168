import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BoundServer, BoundServers } from '../support/bound-servers.js';
import { PostgresCopies, type PostgresCopy } from '../support/postgres-copies.js';
import { claimsOf } from '../support/race.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const CLIENTS = 48;
/** How many clients of a round have their answers when the primary fails. */
const ANSWERED = 12;
/** How many clients get no answer, although the primary has rotated their tokens. Every third has no key. */
const UNANSWERED = 6;
/** REFRESH_REUSE_GRACE, in seconds. */
const GRACE = 60;

/** A client of one session. */
interface Client {
  token: string;
  /** With it the client makes its proofs. */
  readonly key: string | undefined;
  readonly server: BoundServer;
}

let proxy: TcpProxy;
let copies: PostgresCopies;
let servers: BoundServers;
/** The clients, as they were at the time of the backup. */
let saved: readonly Client[];
let clients: Client[];
/** Resolves when the database can be reached again. */
let outage = Promise.resolve();
let unavailable = 0;

beforeAll(async () => {
  proxy = await TcpProxy.start();
  copies = await PostgresCopies.create(async (direct) => {
    const url = proxy.urlOf(direct);
    const pool = new pg.Pool({ connectionString: url }).on('error', () => {});
    const database = { url, appUrl: url, pool, drop: () => pool.end() };
    servers = await BoundServers.start({ database, settings: { refreshReuseGrace: GRACE } }, 2);
    await servers.first.app.orm.schema.create();
    saved = await Promise.all(Array.from({ length: CLIENTS }, (_, index) => openClient(index)));
    proxy.cut();
  });
});
afterAll(async () => {
  await servers.close();
  await servers.first.app.database.drop();
  await proxy.close();
  await copies.close();
});
beforeEach(() => {
  clients = saved.map((client) => ({ ...client }));
  for (const { app } of servers.all) app.events.length = 0;
  unavailable = 0;
});

/** A third of the clients has no key, a third is bound, and a third is going to be bound by the first refresh. */
async function openClient(index: number): Promise<Client> {
  const key = index % 3 === 0 ? undefined : `key ${index} `.padEnd(43, '-');
  const { refresh: token } = await servers.open(index % 3 === 1 ? key : undefined);
  return { token, key, server: servers.all[index % 2] as BoundServer };
}

/** Refreshes, after an outage with the same token again. @returns the code of a refusal */
async function refresh(client: Client): Promise<string | undefined> {
  for (;;) {
    const proof = client.key === undefined ? undefined : servers.proofBy(client.key);
    const answer = await servers.refresh(client.token, proof, client.server);
    if (typeof answer !== 'string') {
      client.token = answer.refresh;
      return undefined;
    }
    if (answer !== 'service_unavailable') return answer;
    unavailable++;
    await outage;
  }
}

/** All clients refresh at once, a minute after the last time. @returns the codes of refusals */
async function round(onAnswer = () => {}): Promise<string[]> {
  servers.advance(60);
  const answers = clients.map(async (client) => {
    const refusal = await refresh(client);
    onAnswer();
    return refusal ?? [];
  });
  return (await Promise.all(answers)).flat();
}

/** Leads the servers to another database. */
function connectTo({ url }: PostgresCopy): void {
  proxy.urlOf(url);
  proxy.cut();
}

/**
 * In the middle of a round the primary crashes, and another server takes its place.
 *
 * @param next brings up the other server
 * @param seconds the duration of the outage, on the clock of the servers
 * @returns the codes of refusals
 */
async function roundWithCrash(primary: PostgresCopy, next: () => Promise<PostgresCopy>, seconds = 15) {
  const [end, isAnswered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  outage = end.promise;
  const unanswered = clients
    .filter(({ server }) => server === servers.first) // its first statement is the rotation
    .slice(0, UNANSWERED)
    .map(({ token }) => proxy.fail('lost after', claimsOf(token).session));
  let answered = 0;
  const refusing = round(() => ++answered === ANSWERED && isAnswered.resolve());
  await isAnswered.promise;
  await Promise.all(unanswered);
  await primary.crash();
  const successor = await next();
  connectTo(successor);
  servers.advance(seconds);
  end.resolve();
  const refusals = await refusing;
  expect(unavailable).toBeGreaterThanOrEqual(UNANSWERED);
  expect(await round()).toEqual(refusals.map(() => 'token_not_valid')); // their sessions stay ended
  return refusals;
}

/** How often each kind of reuse was reported. */
function reuses(): Record<string, number> {
  const count: Record<string, number> = {};
  for (const { reuse } of servers.all.flatMap(({ app }) => app.events)) count[reuse] = (count[reuse] ?? 0) + 1;
  return count;
}

/** Asserts that these clients have one live session each, with their token and key, and that the others have none. */
async function expectLive(server: PostgresCopy, signedIn: readonly Client[]): Promise<void> {
  const live = `select json_object_agg(id, json_build_array(jti, key_thumbprint)) from auth_session where enabled`;
  const expected = signedIn.map(({ token, key = null }) => [claimsOf(token).session, [claimsOf(token).jti, key]]);
  expect(await server.query(live)).toEqual(Object.fromEntries(expected));
}

describe(`${CLIENTS} clients refresh while the primary crashes`, () => {
  async function replicated(settings: Record<string, string> = {}) {
    const primary = await copies.restore(settings);
    const standby = await copies.startStandby(primary);
    connectTo(primary);
    expect(await round()).toEqual([]);
    const promote = async () => {
      await standby.promote();
      return standby;
    };
    return { primary, standby, promote };
  }
  const SYNCHRONOUS = { synchronous_standby_names: 'walreceiver' };

  test('and its synchronous standby is promoted: none is signed out or accused', async () => {
    const { primary, standby, promote } = await replicated(SYNCHRONOUS);
    expect(await roundWithCrash(primary, promote)).toEqual([]);
    const { 'lost-response': repeated, ...others } = reuses();
    expect([repeated, others]).toEqual([expect.any(Number), {}]);
    expect(repeated).toBeGreaterThanOrEqual(UNANSWERED);
    await expectLive(standby, clients);
  });

  test('for longer than the grace: only clients without a key and without an answer are signed out', async () => {
    const { primary, standby, promote } = await replicated(SYNCHRONOUS);
    const before = clients.map(({ token }) => token);
    const refusals = await roundWithCrash(primary, promote, GRACE + 1);
    const out = clients.filter(({ token }, index) => token === before[index]);
    expect(out.map(({ key }) => key)).toEqual(refusals.map(() => undefined));
    expect(out.length).toBeGreaterThanOrEqual(UNANSWERED / 3);
    await expectLive(
      standby,
      clients.filter((client) => !out.includes(client)),
    );
  });

  test('and a standby that lags behind is promoted: all rotations that it lacks are recovered, none is signed out', async () => {
    const { primary, standby, promote } = await replicated();
    await standby.disconnect();
    expect(await round()).toEqual([]);
    expect(await roundWithCrash(primary, promote)).toEqual([]);
    expect(reuses()).toEqual({ recovered: CLIENTS });
    await expectLive(standby, clients);
  });

  test('and a backup is restored: all rotations since are recovered, none is signed out', async () => {
    const primary = await copies.restore();
    connectTo(primary);
    for (let rounds = 0; rounds < 3; rounds++) expect(await round()).toEqual([]);
    let restored = primary;
    const restore = async () => {
      restored = await copies.restore();
      return restored;
    };
    expect(await roundWithCrash(primary, restore)).toEqual([]);
    expect(reuses()).toEqual({ recovered: CLIENTS });
    await expectLive(restored, clients);
  });
});
