import { createHmac } from 'node:crypto';
import { SECRET } from './test-app.js';

/** A part of a token as JSON, or as its text. */
export type Part = object | string;

/** The parts of a token. */
export interface OpenedToken {
  readonly token: string;
  readonly header: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it looks for
  readonly claims: Record<string, any>;
  readonly signature: string;
}

export function encode(part: Part): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** A compact JWS made by hand, so that a test can sign what no library would sign. */
export function sign(header: Part, claims: Part, secret: string | Buffer = SECRET, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

export function openToken(token: string): OpenedToken {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { token, header: parse(header), claims: parse(claims), signature };
}

/** The same token with other header parameters, correctly signed with the app's secret; undefined omits one. */
export function withHeader({ header, claims }: OpenedToken, changes: object): string {
  return sign({ ...header, ...changes }, claims);
}

/** The same token with other claims, correctly signed with the app's secret; undefined omits one. */
export function withClaims({ header, claims }: OpenedToken, changes: object): string {
  return sign(header, { ...claims, ...changes });
}

/** The same token with another text as its claims, correctly signed with the app's secret. */
export function withClaimsText({ header, claims }: OpenedToken, change: (json: string) => string): string {
  return sign(header, change(JSON.stringify(claims)));
}
