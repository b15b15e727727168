import { CHECK_TOKENS } from './check.js';
import type { Kind } from './contests.js';
import type { Load } from './load.js';
import { Proofs } from './proofs.js';
import type { ServerProcess } from './server-process.js';

/** Number of proofs for each key and slice. */
const PROOFS_OF_A_SLICE = 4;

const GARBAGE = { authorization: `Bearer ${'garbage'.repeat(80)}` };

/**
 * The requests of one kind to a server. The result is reused from slice to slice, because it holds the successors of
 * refreshed tokens.
 */
export function requestsOf(kind: Kind, server: ServerProcess, connections: number): Load {
  const { get, refresh, signIn, expired } = server.traffic;
  if (kind === 'refresh' && refresh) {
    return refreshes({ ...refresh, tokens: refresh.tokens.slice(0, connections) }, connections);
  }
  if (kind === 'refresh of many' && refresh) {
    return refreshes({ ...refresh, tokens: refresh.tokens.slice(0, -CHECK_TOKENS) }, connections);
  }
  if (kind === 'bound refresh' && refresh) {
    const proofs = new Proofs(server.origin + refresh.path);
    return refreshes({ ...refresh, tokens: refresh.tokens.slice(0, -CHECK_TOKENS) }, connections, proofs);
  }
  if (kind === 'sign-in' && signIn) {
    const headers = { ...signIn.headers, 'content-type': 'application/json' };
    return inTurn(
      signIn.bodies.map((body) => ({ path: signIn.path, method: 'POST', headers, body: JSON.stringify(body) })),
      { connections, expected: 200 },
    );
  }
  if (!get) throw new Error(`The server does not support requests of the kind ${kind}.`);
  const refused = { 'no token': {}, garbage: GARBAGE, expired: expired ?? {} };
  const users = kind in refused ? [refused[kind as keyof typeof refused]] : get.users;
  return inTurn(
    users.map((headers) => ({ path: get.path, method: 'GET', headers })),
    { connections, expected: kind in refused ? 401 : 200 },
  );
}

function inTurn(requests: readonly ReturnType<Load['next']>[], load: Pick<Load, 'connections' | 'expected'>): Load {
  let turn = 0;
  return { ...load, next: () => requests[turn++ % requests.length] as (typeof requests)[number] };
}

/** Each request takes the token that has waited longest, and its answer adds the successor. */
function refreshes(
  { path, contentType, body, field, tokens }: NonNullable<ServerProcess['traffic']['refresh']>,
  connections: number,
  proofs?: Proofs,
): Load {
  const live = tokens.map((token, session) => ({ token, session }));
  const sessions = new WeakMap<object, number>();
  const headers = { 'content-type': contentType };
  return {
    connections,
    expected: 200,
    prepare: () => proofs?.prepare(PROOFS_OF_A_SLICE),
    next: () => {
      const { token, session } = live.shift() as (typeof live)[number];
      const dpop = proofs && { dpop: proofs.next(session) };
      const all = { ...headers, ...dpop };
      const request = { path, method: 'POST', headers: all, body: body.replace('$', () => token) } as const;
      sessions.set(request, session);
      return request;
    },
    seen: ({ status, body: answer }, request) => {
      const session = sessions.get(request) as number;
      if (status === 200) live.push({ token: JSON.parse(answer)[field], session });
    },
  };
}
