import { Client } from 'undici';
import { type Answer, ask } from './load.js';
import type { ServerProcess } from './server-process.js';

/** What a server did when it was tried out before it is measured; each `false` stands in the report. */
export interface ServerCheck {
  readonly server: string;
  /** A request without a token is answered with 401. */
  readonly refusesAnonymous?: boolean;
  /** A refresh token from two rotations ago is refused. */
  readonly refusesReplay?: boolean;
  /** Live refresh tokens after eight simultaneous uses of one: one is right. */
  readonly winners?: number;
}

/** Refresh tokens at the end of a server's traffic that are spent here, and so not for the load. */
export const CHECK_TOKENS = 2;

/** Tries a server out. */
export async function checkServer(
  name: string,
  { origin, traffic: { get, refresh } }: ServerProcess,
): Promise<ServerCheck> {
  const isProtected = Object.keys(get?.users[0] ?? {}).length > 0;
  const anonymous = get && isProtected && (await askOnce(origin, { path: get.path, method: 'GET' }));
  const rotation = refresh && (await tryRotation(origin, refresh));
  return { server: name, ...(anonymous && { refusesAnonymous: anonymous.status === 401 }), ...rotation };
}

async function tryRotation(origin: string, spec: NonNullable<ServerProcess['traffic']['refresh']>) {
  const use = async (token: string): Promise<string | undefined> => {
    const headers = { 'content-type': spec.contentType };
    const body = spec.body.replace('$', () => token);
    const answer = await askOnce(origin, { path: spec.path, method: 'POST', headers, body });
    return answer.status === 200 ? JSON.parse(answer.body)[spec.field] : undefined;
  };
  const [contested, replayed] = spec.tokens.slice(-CHECK_TOKENS) as [string, string];
  const successors = await Promise.all(Array.from({ length: 8 }, () => use(contested)));
  let winners = 0;
  const different = new Map(successors.filter((token) => token !== undefined).map((token) => [idOf(token), token]));
  for (const token of different.values()) if (await use(token)) winners++;
  const second = await use(replayed);
  if (second) await use(second);
  return { winners, refusesReplay: (await use(replayed)) === undefined };
}

/** What tells one refresh token from another: the `jti` of a JWT, for ECDSA never signs the same claims alike. */
function idOf(token: string): string {
  const claims = token.split('.')[1];
  return claims ? JSON.parse(Buffer.from(claims, 'base64url').toString()).jti : token;
}

/** A request on a connection of its own: some servers close it when they refuse. */
async function askOnce(origin: string, request: Parameters<typeof ask>[1]): Promise<Answer> {
  const client = new Client(origin);
  try {
    return await ask(client, request);
  } finally {
    await client.destroy();
  }
}
