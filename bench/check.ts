import { Client } from 'undici';
import { ask } from './load.js';
import type { ServerProcess } from './server-process.js';

/** What a server did when it was tried out before it is measured; each `false` stands in the report. */
export interface Conduct {
  readonly server: string;
  /** A request without a token is answered with 401. */
  readonly refusesAnonymous?: boolean;
  /** A refresh token from two rotations ago is refused. */
  readonly refusesReplay?: boolean;
  /** Live refresh tokens after eight simultaneous uses of one: one is right. */
  readonly winners?: number;
}

/** Tries a server out. It spends the last two refresh tokens of its traffic, which the load does not use. */
export async function conductOf(name: string, { origin, traffic: { get, refresh } }: ServerProcess): Promise<Conduct> {
  const clients = Array.from({ length: 8 }, () => new Client(origin));
  const first = clients[0] as Client;
  try {
    const anonymous = get && (await ask(first, { path: get.path, method: 'GET' }));
    const rotation = refresh && (await tryRotation(clients, refresh));
    return { server: name, ...(anonymous && { refusesAnonymous: anonymous.status === 401 }), ...rotation };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function tryRotation(clients: Client[], spec: NonNullable<ServerProcess['traffic']['refresh']>) {
  const use = async (client: Client, token: string): Promise<string | undefined> => {
    const headers = { 'content-type': spec.contentType };
    const body = spec.body.replace('$', () => token);
    const answer = await ask(client, { path: spec.path, method: 'POST', headers, body });
    return answer.status === 200 ? JSON.parse(answer.body)[spec.field] : undefined;
  };
  const first = clients[0] as Client;
  const [contested, replayed] = spec.tokens.slice(-2) as [string, string];
  const successors = await Promise.all(clients.map((client) => use(client, contested)));
  let winners = 0;
  for (const token of new Set(successors)) if (token && (await use(first, token))) winners++;
  const second = await use(first, replayed);
  if (second) await use(first, second);
  return { winners, refusesReplay: (await use(first, replayed)) === undefined };
}
