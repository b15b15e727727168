import { Get, Header } from 'routing-controllers';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { closedObject, type JsonSchema, type NamedSchema } from '../../http/json-schema.js';
import type { KeyRing, PublicJwk } from '../../tokens/key-ring.js';

/**
 * How long resource servers may cache the keys, in seconds. A rotation has to wait this long between publishing a key
 * and signing with it. Short enough for that, and long enough to avoid a request for each token.
 */
const MAX_AGE_SECONDS = 300;

/** The route that sends the public keys, with which other servers verify tokens (RFC 7517 §5). It sends no secret. */
export function createJwksController({ keys }: { readonly keys: KeyRing }, { prefix }: ControllerParts) {
  const body: { readonly keys: readonly PublicJwk[] } = { keys: keys.publicKeys() };

  @AuthController(prefix, { name: 'jwks', isCacheable: true })
  class JwksController {
    @Get('/.well-known/jwks.json')
    @Header('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`)
    @DescribeRoute({
      id: 'keys',
      tag: 'Sign-in',
      summary: 'Get the public keys of the tokens',
      description: 'The keys that verify tokens, older ones as well. The set is empty if all of them are secrets.',
      answers: {
        200: {
          description: 'A JWK set (RFC 7517).',
          headers: { 'Cache-Control': 'How long the keys may be cached.' },
          json: KEY_SET,
        },
      },
      isStatic: true,
    })
    get() {
      return body;
    }
  }
  return JwksController;
}

const text: JsonSchema = { type: 'string' };
const KEY: JsonSchema = {
  type: 'object',
  properties: { kid: text, kty: text, use: { const: 'sig' }, alg: text, crv: text, x: text, y: text, n: text, e: text },
  required: ['kid', 'kty', 'use', 'alg'],
};
const KEY_SET: NamedSchema = { name: 'AuthKeySet', schema: closedObject({ keys: { type: 'array', items: KEY } }) };
