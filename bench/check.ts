import { Client } from 'undici';
import { type Answer, ask } from './load.js';
import type { ServerProcess } from './server-process.js';

/** The result of checking a server before it is measured. Each `false` appears in the report. */
export interface ServerCheck {
  readonly server: string;
  /** Whether a request without a token is answered with 401. */
  readonly refusesAnonymous?: boolean;
  /** Whether a refresh token from two rotations ago is refused. */
  readonly refusesReplay?: boolean;
  /** Number of live refresh tokens after eight simultaneous uses of one. It should be one. */
  readonly winners?: number;
}

/** Number of refresh tokens, at the end of a server's list, that the checks use and the load does not. */
export const CHECK_TOKENS = 2;

/** Checks how a server behaves before it is measured. */
export async function checkServer(
  name: string,
  { origin, traffic: { get, refresh } }: ServerProcess,
): Promise<ServerCheck> {
  const isProtected = Object.keys(get?.users[0] ?? {}).length > 0;
  const anonymous = get && isProtected && (await askOnce(origin, { path: get.path, method: 'GET' }));
  const rotation = refresh && (await checkRotation(origin, refresh));
  return { server: name, ...(anonymous && { refusesAnonymous: anonymous.status === 401 }), ...rotation };
}

async function checkRotation(origin: string, spec: NonNullable<ServerProcess['traffic']['refresh']>) {
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

/**
 * An id of a refresh token: the `jti` of a JWT. The text will not do, because ECDSA signatures of the same claims
 * differ.
 */
function idOf(token: string): string {
  const claims = token.split('.')[1];
  return claims ? JSON.parse(Buffer.from(claims, 'base64url').toString()).jti : token;
}

/** Sends a request on a new connection, because some servers close it when they refuse. */
async function askOnce(origin: string, request: Parameters<typeof ask>[1]): Promise<Answer> {
  const client = new Client(origin);
  try {
    return await ask(client, request);
  } finally {
    await client.destroy();
  }
}
